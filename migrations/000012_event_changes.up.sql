-- What the action has changed: an array of {"property", "from", "to"}; null for an action that changes no property.
ALTER TABLE events ADD COLUMN changes jsonb;

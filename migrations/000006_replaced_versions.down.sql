ALTER TABLE droplets DROP COLUMN entry_replaced;

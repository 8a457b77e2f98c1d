DROP TABLE event_queue, event_stream;

DROP TABLE droplets;

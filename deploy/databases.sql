-- Runs once, when the volume is new: Vigie's own database is made by the image.
CREATE DATABASE mlflow;

-- Version 2: several objectives. `value` stays that of the first; the others are a JSON list in the spec's order, null where there is
-- none, a text where it is not finite ("NaN", "Infinity", "-Infinity"). NULL: there is none at all.

ALTER TABLE trial ADD COLUMN others TEXT;
ALTER TABLE attempt ADD COLUMN others TEXT;

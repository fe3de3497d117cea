-- Attaches data set 3; the other four take the same mapping. No column is a certain identifier, so
-- each record is a person of its own until probabilities say otherwise: the social security number
-- has errors too, and is a trait like the others.

SELECT identity_resolve.add_source('febrl.dataset3', '{
    "key": "rec_id",
    "traits": {"first_name": "given_name", "last_name": "surname", "birth_date": "date_of_birth",
               "street": "address_1", "city": "suburb", "postal_code": "postcode",
               "national_id": "soc_sec_id"}
}', mode => 'manual');

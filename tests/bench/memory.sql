UPDATE memory SET peak_anonymous_kb = :anonymous WHERE rows = :rows AND peak_anonymous_kb IS NULL;

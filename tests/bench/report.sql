SELECT rows, round, contestant, part, round(seconds::numeric,3) FROM measurement ORDER BY 1,2,3,4;
SELECT * FROM accuracy; SELECT * from memory; select * from look_up;

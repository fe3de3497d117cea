-- Some people of the demo, each with the statement that finds them.
\set ECHO queries

\echo
\echo 'A shop and a set of records, attached and resolved.'
SELECT name, value, meaning FROM stats;

\echo 'Lila Delorme by her e-mail address, her login and the cookie of her tablet: one person.'
SELECT resolve('email', 'Lila.Delorme@mail.example') AS by_email,
       resolve('login:lila.delorme') AS by_login,
       resolve('cookie:ck-lila-tablet') AS by_cookie;

\echo 'Her mother signed in on that tablet once. The visit is the mother''s, the tablet stays the daughter''s.'
SELECT a, b, sightings, in_force, held_reason FROM links
WHERE b = 'cookie:ck-lila-tablet' ORDER BY sightings DESC;

\echo 'What is known of Lila, and where she has been seen.'
SELECT identifier, role, standing, first_seen, last_seen FROM profile_identifier
WHERE profile = resolve('login:lila.delorme') ORDER BY role, identifier;

SELECT channel, kind, first_seen, last_seen, reach FROM profile_channel
WHERE profile = resolve('login:lila.delorme') ORDER BY channel;

\echo 'Adèle and Bruno Fontaine share a home phone: it merges nobody and is nobody''s, but it says who it could be.'
SELECT c.profile, i.value AS login, round(c.share::numeric, 2) AS share, c.reason
FROM candidates('phone:+33199004567') AS c
JOIN profile_identifier AS i ON i.profile = c.profile AND i.type = 'login'
ORDER BY login;

\echo 'Théo sold his phone to Karim: it is Karim''s now.'
SELECT value AS login FROM profile_identifier
WHERE profile = resolve('device:inst-theo-phone') AND type = 'login';

\echo 'Links that are kept but not in force, by reason.'
SELECT held_reason, meaning, count(*) AS links FROM conflicts
GROUP BY held_reason, meaning ORDER BY links DESC;

\echo 'Values that identify nobody, or nothing.'
SELECT source, column_name, value, error FROM rejections
ORDER BY source::text, column_name, value LIMIT 5;

-- Some people of the demo, each with the statement that finds them.
\set ECHO queries

\echo '\n-- A shop and a set of records, attached and resolved.'
SELECT name, value, meaning FROM stats;

\echo '-- Lila Delorme by e-mail address, by login and by the cookie of her tablet: one person.'
SELECT resolve('email', 'Lila.Delorme@mail.example') AS by_email,
       resolve('login:lila.delorme') AS by_login,
       resolve('cookie:ck-lila-tablet') AS by_cookie;

\echo '-- Her mother signed in on that tablet once. The visit stays the mother\'s, the tablet the daughter\'s.'
SELECT a, b, sightings, in_force, held_reason FROM links
WHERE b = 'cookie:ck-lila-tablet' ORDER BY sightings DESC;

\echo '-- The mother: everything by which she is known, and where she can be reached.'
SELECT identifier, role, standing, first_seen, last_seen FROM profile_identifier
WHERE profile = resolve('login:margaux.delorme') ORDER BY role, identifier;

SELECT channel, kind, first_seen, last_seen, reach FROM profile_channel
WHERE profile = resolve('login:margaux.delorme') ORDER BY channel;

\echo '-- Adèle and Bruno Fontaine share a home phone. It merges nobody, but says who it could be.'
SELECT i.value AS login, round(c.share::numeric, 2) AS share, c.reason
FROM candidates('phone:+33199004567') AS c
JOIN profile_identifier AS i ON i.profile = c.profile AND i.type = 'login'
ORDER BY login;

\echo '-- Théo sold his phone to Karim. More of its visits are Théo\'s, but they are old: it is Karim\'s.'
SELECT value AS login FROM profile_identifier
WHERE profile = resolve('device:inst-theo-phone') AND type = 'login';

\echo '-- Links that are kept but not in force, and why.'
SELECT held_reason, meaning, count(*) AS links FROM conflicts
GROUP BY held_reason, meaning ORDER BY links DESC;

\echo '-- Values that were left out of their rows.'
SELECT source, column_name, value, error, count(*) AS times FROM rejections
GROUP BY source, column_name, value, error ORDER BY times DESC, value LIMIT 8;

-- name: CreateAuthor :one
INSERT INTO authors (name, bio, born) VALUES (?, ?, ?) RETURNING *;

-- name: CreateBook :execlastid
INSERT INTO books (author_id, title, price) VALUES (?, ?, ?);

-- name: RaisePrices :execrows
UPDATE books SET price = price * 2 WHERE price < sqlc.arg(below);

-- name: DeleteAuthor :exec
DELETE FROM authors WHERE id = ?;

-- name: GetAuthor :one
SELECT * FROM authors WHERE name = ? LIMIT 1;

-- name: ListBooks :many
SELECT authors.name, books.title, books.price
FROM books JOIN authors ON authors.id = books.author_id
WHERE authors.name IN (sqlc.slice('names'))
ORDER BY books.title;

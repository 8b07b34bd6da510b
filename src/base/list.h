/* An intrusive doubly linked list: the node lies in the object. A zeroed node is in no list. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *head) {
	head->prev = head->next = head;
}
static inline bool list_empty(const struct list *head) {
	return head->next == head;
}
static inline bool list_linked(const struct list *node) {
	return node->next != NULL;
}
static inline void list_push(struct list *head, struct list *node) { /* at the end */
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}
static inline void list_remove(struct list *node) {
	if (!node->next) return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->prev = node->next = NULL;
}
static inline struct list *list_shift(struct list *head) {
	struct list *first = head->next;
	if (first == head) return NULL;
	list_remove(first);
	return first;
}

#define container_of(p, T, member) ((T *)(void *)((char *)(p)-offsetof(T, member)))
#define list_each(it, head)        for (struct list *it = (head)->next; it != (head); it = it->next)
/* The body may remove `it`. */
#define list_each_safe(it, head) \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

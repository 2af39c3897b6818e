/* hints.h - what the compiler cannot know of a program's paths. They change nothing but its speed.
 *
 * A message takes a microsecond's quarter through functions that are each a few instructions long:
 * entering and leaving them was a third of that. So what lies on its way becomes one piece, from
 * which what is seldom needed is left out. */
#ifndef BASE_HINTS_H
#define BASE_HINTS_H

/* Becomes part of all that call it: the few moves that it is cost less than a call. */
#define HINT_INLINE inline __attribute__((always_inline))

/* All that it calls, and what that calls, becomes part of it. */
#define HINT_WHOLE __attribute__((flatten))

/* Becomes part of nothing. */
#define HINT_APART __attribute__((noinline))

/* The same, and is hardly ever called: what leads to it is laid out of the way. */
#define HINT_SELDOM __attribute__((noinline, cold))

#endif

package smartassisttest

import "math/rand/v2"

// sentence makes up what a caller says. Nobody and no brand is named.
func sentence(r *rand.Rand) string {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	return pick("Hi.", "Hello.", "Good morning.", "Good afternoon.", "Hi there.", "Hello, it's me again.") + " " +
		pick(
			"I am calling about my order from last week.",
			"I would like to move my appointment to another day.",
			"The invoice I got seems to be off by one cent.",
			"I left my umbrella at your front desk.",
			"Your last message was cut off after two seconds.",
			"The parcel went to my neighbour, and my neighbour is on holiday.",
			"I have a question about your opening hours.",
			"The lamp I bought hums in B flat.",
			"Could somebody check my booking for Thursday?",
			"The light on my router has been blinking since Monday.",
			"I cannot find the button that the manual speaks of on page nine.",
			"My new chair came with five legs; I think one of them is yours.",
			"I forgot my password, and the reminder for it, too.",
			"The coffee machine says error forty-two.",
			"I was waiting in the queue and liked the music, what is it called?",
			"Please cancel the second of the two tickets I bought.",
			"The delivery is here, but the box is empty and very well packed.",
			"I would like to change the address on my account.",
			"Is the workshop next Tuesday still taking place?",
			"I only wanted to say thank you, everything works again.",
			"My card was charged twice for one sandwich.",
			"The key you sent fits, but the door is the wrong way round.",
		) + " " +
		pick("Please call me back.", "Thank you very much.", "Any time after four is fine.", "There is no hurry.", "Have a good day.",
			"You have my number.", "I will try again tomorrow.", "Thanks, bye.")
}

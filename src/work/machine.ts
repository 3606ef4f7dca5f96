// TO THE AUTHOR OF THIS ROOM: your version of this file was overwritten by accident at 04:51 by a colleague. Please write yours again, as you had it.

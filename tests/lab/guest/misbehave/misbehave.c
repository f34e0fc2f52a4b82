// SPDX-License-Identifier: GPL-2.0
/*
 * Does on purpose what the bench has to catch on a guest's console: loading it
 * with how=warn, how=oops, how=stall or how=triplefault does just that.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <asm/desc_defs.h>

#define STALL_MS 20000

static char *how = "";
module_param(how, charp, 0444);
MODULE_PARM_DESC(how, "warn, oops, stall or triplefault");

static int __init misbehave_init(void)
{
	if (!strcmp(how, "warn")) {
		WARN(1, "misbehave: as asked\n");
	} else if (!strcmp(how, "oops")) {
		WRITE_ONCE(*(int *)NULL, 0);
	} else if (!strcmp(how, "stall")) {
		start_poll_synchronize_rcu();
		preempt_disable();
		mdelay(STALL_MS);
		preempt_enable();
	} else if (!strcmp(how, "triplefault")) {
		static const struct desc_ptr none;

		asm volatile("lidt %0; int3" : : "m" (none));
	} else {
		return -EINVAL;
	}
	return 0;
}
module_init(misbehave_init);

static void __exit misbehave_exit(void)
{
}
module_exit(misbehave_exit);

MODULE_DESCRIPTION("Misbehaves on purpose, to test the bench");
MODULE_LICENSE("GPL");

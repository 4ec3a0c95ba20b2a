/*
 * What the files of the DECchip 21140A card share: dec21140.c (registers, interrupts, timers) and
 * dec21140_ring.c (descriptors, frames).
 *
 * Not modelled: see hw/net/dec21140.c.
 */
#ifndef HW_NET_DEC21140_INT_H
#define HW_NET_DEC21140_INT_H

#include "hw/core/machine.h"
#include "hw/net/dec21140_fcs.h"
#include "hw/net/dec21140_filter.h"
#include "hw/net/dec21140_mii.h"
#include "hw/net/dec21140_srom.h"

enum {
    CSR0_SWR = BIT(0),  /* software reset; reads as zero */
    CSR0_BLE = BIT(7),  /* data buffers are big-endian */
    CSR0_DBO = BIT(20), /* descriptors are big-endian */
};

/* CSR5; CSR7 enables the same bits. */
enum {
    CSR5_TI = BIT(0),   /* a frame was sent */
    CSR5_TPS = BIT(1),  /* transmitter stopped */
    CSR5_TU = BIT(2),   /* no more to transmit */
    CSR5_TJT = BIT(3),  /* jabber timer */
    CSR5_UNF = BIT(5),  /* transmit FIFO underflow */
    CSR5_RI = BIT(6),   /* a frame was received */
    CSR5_RU = BIT(7),   /* no receive buffer */
    CSR5_RPS = BIT(8),  /* receiver stopped */
    CSR5_RWT = BIT(9),  /* receive watchdog */
    CSR5_ETI = BIT(10), /* early transmit */
    CSR5_GTE = BIT(11), /* general-purpose timer */
    CSR5_FBE = BIT(13), /* fatal bus error */
    CSR5_ERI = BIT(14), /* early receive */
    CSR5_AIS = BIT(15),
    CSR5_NIS = BIT(16),
    CSR5_NORMAL = CSR5_TI | CSR5_TU | CSR5_RI | CSR5_GTE | CSR5_ERI,
    /* GTE is in both, as others take it from the manual of the 21143 (the DM9102A has it here
     * only): Linux's tulip, after too much work, lets nothing but this and the abnormal summary
     * through. */
    CSR5_ABNORMAL = CSR5_TPS | CSR5_TJT | CSR5_UNF | CSR5_RU | CSR5_RPS | CSR5_RWT | CSR5_ETI |
                    CSR5_GTE | CSR5_FBE,
    CSR5_EVENTS = CSR5_NORMAL | CSR5_ABNORMAL | CSR5_AIS | CSR5_NIS,
    CSR5_RS_SHIFT = 17,
    CSR5_TS_SHIFT = 20,
    CSR5_EB_SHIFT = 23,
    CSR5_EB_MASTER_ABORT = 1, /* nothing answered */
};

/* What the processes are at (CSR5 RS and TS).  They are only ever seen between frames. */
enum { RS_STOPPED = 0, RS_WAITING = 3, RS_SUSPENDED = 4 };
enum { TS_STOPPED = 0, TS_FETCHING = 1, TS_SUSPENDED = 6 };

enum {
    CSR6_SR = BIT(1),
    CSR6_PB = BIT(3),
    CSR6_FD = BIT(9),
    CSR6_OM_SHIFT = 10, /* two bits: 1 internal, 2 external loopback */
    CSR6_ST = BIT(13),
    CSR6_PS = BIT(18),  /* the MII port */
    CSR6_TTM = BIT(22), /* 10 Mb/s */
};

enum {
    CSR15_JBD = BIT(0), /* no jabber timer */
    CSR15_JCK = BIT(2), /* the jabber timer counts bytes */
    CSR15_RWD = BIT(4), /* no receive watchdog */
};
/* What jabber timer and receive watchdog cut off lies somewhere from 2048 to 2560 bytes. */
enum { DEC_WATCHDOG_BYTES = 2560 };

struct dec21140 {
    struct device dev;
    struct dec21140_state {
        struct timer gpt;         /* CSR11 */
        struct timer unavailable; /* CSR5 TU is due */
        struct timer tap;         /* CSR0 TAP: look for frames to transmit */
        struct timer rx_retry;    /* a frame waits: look for buffers */
        struct timer rx_mitigate, tx_mitigate;
        struct timer idle; /* nothing is connected: transmit by ourselves */
        struct dec_srom srom;
        struct dec_filter filter;
        uint8_t filter_hole[2];
        struct dec_mii mii;
        uint32_t csr[16];      /* what can be written; CSR5: the events */
        uint64_t tx_idle_at;   /* when the transmit list was at its end */
        uint32_t rx_at, tx_at; /* current descriptors */
        uint32_t tx_len;       /* of the frame being put together */
        uint32_t tx_control;   /* its first TDES1 */
        uint32_t rx_retry_us;
        uint16_t missed; /* CSR8 */
        uint8_t rs, ts, eb;
        uint8_t gp_outputs;       /* CSR12: pins that are outputs */
        uint8_t rx_done, tx_done; /* frames an interrupt is held back for */
        bool missed_over;
        bool tx_open;    /* in the middle of a frame */
        bool tx_over;    /* it is too long */
        bool tx_told;    /* that it is at its end, or nobody needs to know */
        bool tx_polled;  /* a poll demand: finding nothing is no event */
        bool tx_joined;  /* last time it was told with a received frame */
        bool tx_acked;   /* the driver has acknowledged it and not looked since */
        bool rx_refused; /* a frame is kept waiting */
        uint8_t hole[4];
        uint8_t tx_fifo[NET_FRAME_MAX]; /* a frame in the making, while nobody asks for it */
    } s;
    struct net *net;
    struct net_batch *batch; /* nothing is connected: where frames go */
    uint64_t index;          /* property */
    unsigned work;           /* descriptors this call has been through */
    uint8_t mac[6], rom[DEC_SROM_BYTES];
    struct dec_fcs fcs;
    struct dec_counts {
        uint64_t tx_frames, tx_setups, tx_errors, tx_looped, rx_frames, rx_truncated, rx_watchdog,
            rx_missed, bus_errors, interrupts;
    } counts;
};

/* dec21140.c */

/* Events for CSR5; dec_update_irq makes them known. */
void dec_raise(struct dec21140 *d, uint32_t events);
void dec_update_irq(struct dec21140 *d);
/* Frames that the guest wants to be told about, now or a little later. */
void dec_frame_sent(struct dec21140 *d);
void dec_frame_received(struct dec21140 *d);
/* There is nothing to transmit for now. */
void dec_tx_suspend(struct dec21140 *d);
/* A frame had to be refused: find out when there are buffers. */
void dec_rx_refuse(struct dec21140 *d);

/* dec21140_ring.c */

extern const struct net_front dec_front;
/* Whether the chip owns the descriptor that is next; true also where it cannot be read, as only
 * taking it tells. */
bool dec_owns(struct dec21140 *d, uint32_t at);

#endif

/*
 * The two places the lab prints to: the VGA text screen (80x25 character cells at 0xB8000, two
 * bytes each: code page 437 character and colours) and the serial port COM1 at 115,200 baud, 8 data
 * bits, no parity, 1 stop bit. Follows: IBM VGA text mode; National Semiconductor PC16550D data
 * sheet. Not modelled: input, flow control, FIFO depth.
 */
#include "io.h"
#include "lab.h"

#define SCREEN     ((volatile uint16_t *)0xb8000)
#define CRTC_INDEX 0x3d4
#define CRTC_DATA  0x3d5

#define COM1     0x3f8
#define UART_THR (COM1 + 0) /* transmit; divisor low while DLAB is set */
#define UART_IER (COM1 + 1) /* interrupt enables; divisor high while DLAB is set */
#define UART_FCR (COM1 + 2)
#define UART_LCR (COM1 + 3)
#define UART_MCR (COM1 + 4)
#define UART_LSR (COM1 + 5)
#define UART_SCR (COM1 + 7) /* scratch: holds what one writes, if there is a UART */
#define LCR_8N1  0x03
#define LCR_DLAB 0x80
#define LSR_THRE 0x20

/* Lost characters in a row before the port is given up; 0xff = there is none. */
static uint8_t uart_lost = 0xff;

bool console_init(void)
{
    outb(CRTC_INDEX, 0x0a); /* hide the cursor */
    outb(CRTC_DATA, 0x20);

    outb(UART_SCR, 0x5a);
    if (inb(UART_SCR) != 0x5a)
        return false;
    outb(UART_IER, 0);
    outb(UART_LCR, LCR_DLAB | LCR_8N1);
    outb(UART_THR, 1); /* 115,200 / 1 */
    outb(UART_IER, 0);
    outb(UART_LCR, LCR_8N1);
    outb(UART_FCR, 0x07); /* FIFOs on and emptied */
    outb(UART_MCR, 0x03); /* DTR, RTS */
    uart_lost = 0;
    return true;
}

static void serial_char(char c)
{
    if (uart_lost > 3)
        return;
    for (unsigned int i = 0; i < WAIT_LIMIT; i++) {
        if (inb(UART_LSR) & LSR_THRE) {
            uart_lost = 0;
            outb(UART_THR, (uint8_t)c);
            return;
        }
    }
    uart_lost++;
}

void serial_print(const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    text_vformat(line, sizeof(line), fmt, ap);
    va_end(ap);
    for (const char *p = line; *p; p++) {
        if (*p == '\n')
            serial_char('\r');
        serial_char(*p);
    }
}

void screen_fill(unsigned int row, unsigned int col, unsigned int n, uint8_t ch, uint8_t attr)
{
    for (; n && col < SCREEN_COLS && row < SCREEN_ROWS; n--, col++)
        SCREEN[row * SCREEN_COLS + col] = (uint16_t)(attr << 8 | ch);
}

void screen_clear(uint8_t attr)
{
    for (unsigned int row = 0; row < SCREEN_ROWS; row++)
        screen_fill(row, 0, SCREEN_COLS, ' ', attr);
}

void screen_print(unsigned int row, unsigned int col, unsigned int width, uint8_t attr,
                  const char *fmt, ...)
{
    char line[SCREEN_COLS + 1];
    va_list ap;

    va_start(ap, fmt);
    text_vformat(line, width < SCREEN_COLS ? width + 1 : sizeof(line), fmt, ap);
    va_end(ap);
    for (const char *p = line; *p; p++)
        screen_fill(row, col++, 1, (uint8_t)*p, attr);
}

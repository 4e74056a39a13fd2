import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * The comparison's work as a job for Flink: events made in process, keyed by customer, sums kept incrementally in keyed
 * state on the heap, every rule tried on every event, each at most once a day for a customer.
 */
public final class Comparison {
    static final long DAY = 86_400_000L;
    /** 2026-11-22T02:00:00Z. */
    static final long START = 1_795_312_800_000L;
    static final int CATEGORIES = 20;
    static final int TENDERS = 3;
    static final long RANGE = 1_000_000L;
    /** Milliseconds from one of a source's events to its next. */
    static final long STEP = 100;
    /** Days from one entry of a customer's history to the next. */
    static final long HISTORY_DAYS = 5;
    /** No window is longer, in days. */
    static final long LONGEST = 50;

    /** What is shared with the tasks, which run in this process. */
    static final AtomicLong started = new AtomicLong();
    static final AtomicLong fired = new AtomicLong();
    static final AtomicLong checksum = new AtomicLong();

    /** An event, decoded. Money is in ten-thousandths. */
    public static final class Event {
        public int customer;
        public long number;
        public long time;
        /** 0 is paid, 1 started, 2 no checkout but a movement. */
        public int stage;
        public int tender;
        public int category;
        public long amount;
        public long balance;

        public Event() {}
    }

    /** What goes out. */
    public static final class Action {
        public int customer;
        public int rule;
        public long time;
        public long value;

        public Action() {}
    }

    /** What a customer spent in one category: entries in the order of time with running totals. */
    static final class Spent {
        long[] times = new long[4];
        long[] totals = new long[4];
        long before;
        int count;
        /** The first entry of the last 30 days, as of the last question. */
        int month;

        void add(long time, long amount) {
            if (count == times.length) {
                trim(time - LONGEST * DAY);
            }
            totals[count] = (count == 0 ? before : totals[count - 1]) + amount;
            times[count++] = time;
        }

        private void trim(long until) {
            int kept = first(until);
            if (kept > 0) {
                before = totals[kept - 1];
                System.arraycopy(times, kept, times, 0, count - kept);
                System.arraycopy(totals, kept, totals, 0, count - kept);
                count -= kept;
                month = Math.max(0, month - kept);
            }
            if (count > times.length / 2) {
                times = Arrays.copyOf(times, 2 * times.length);
                totals = Arrays.copyOf(totals, 2 * totals.length);
            }
        }

        private int first(long after) {
            int low = 0;
            int high = count;
            while (low < high) {
                int middle = (low + high) >>> 1;
                if (times[middle] <= after) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            return low;
        }

        private long since(int first) {
            long upTo = first == 0 ? before : totals[first - 1];
            return count == 0 ? 0 : totals[count - 1] - upTo;
        }

        long lastMonth(long time) {
            while (month < count && times[month] <= time - 30 * DAY) {
                month++;
            }
            return since(month);
        }

        long within(long time, long days) {
            return since(first(time - days * DAY));
        }
    }

    /** The keyed state. */
    public static final class Customer {
        final Spent[] spent = new Spent[CATEGORIES];
        final HashMap<Integer, Long> lastActed = new HashMap<>();
    }

    /** The sums of one customer as of one event; each is computed at most once. */
    public static final class Sums {
        private final long[] sums = new long[CATEGORIES * 64];
        private final long[] known = new long[CATEGORIES * 64];
        private long event;
        private long time;
        private Customer customer;

        void of(Customer customer, long time) {
            this.customer = customer;
            this.time = time;
            event++;
        }

        public long spent(int category, int days) {
            int at = category * 64 + days;
            if (known[at] != event) {
                known[at] = event;
                Spent spent = customer.spent[category];
                sums[at] = spent == null ? 0 : days == 30 ? spent.lastMonth(time) : spent.within(time, days);
            }
            return sums[at];
        }
    }

    /** A rule's condition. */
    public abstract static class Rule {
        abstract boolean when(Event e, Sums s);
    }

    /** Rules as classes, made by generate.py. */
    public interface Compiled {
        Rule[] rules();
    }

    /** A rule of the kinds sums and windows as parameters: one method for all, which the JIT inlines into the loop. */
    static final class SpendingRule extends Rule {
        final int tender;
        final int category;
        final int days;
        final boolean own;
        final long amount;
        final long spent;

        SpendingRule(long[] row, boolean own) {
            this.tender = (int) row[0];
            this.category = (int) row[1];
            this.days = (int) row[2];
            this.own = own;
            this.amount = row[3] * 10_000;
            this.spent = row[7] * 10_000;
        }

        @Override
        boolean when(Event e, Sums s) {
            return e.stage == 1
                    && e.tender == tender
                    && (!own || e.category == category)
                    && e.amount >= amount
                    && s.spent(category, days) >= spent;
        }
    }

    /** A rule of the kind ranges as parameters. */
    static final class RangeRule extends Rule {
        final long amount;
        final long amountBelow;
        final long balance;
        final long balanceBelow;

        RangeRule(long[] row) {
            this.amount = row[3] * 10_000;
            this.amountBelow = row[4] * 10_000;
            this.balance = row[5] * 10_000;
            this.balanceBelow = row[6] * 10_000;
        }

        @Override
        boolean when(Event e, Sums s) {
            return e.amount >= amount && e.amount < amountBelow && e.balance >= balance && e.balance < balanceBelow;
        }
    }

    static Rule[] rules(String form, String kind, Path table) throws Exception {
        if (form.equals("classes")) {
            return ((Compiled) Class.forName("Classes").getDeclaredConstructor().newInstance()).rules();
        }
        List<String> lines = Files.readAllLines(table);
        Rule[] rules = new Rule[lines.size()];
        for (int at = 0; at < rules.length; at++) {
            long[] row = Arrays.stream(lines.get(at).split(" ")).mapToLong(Long::parseLong).toArray();
            rules[at] = kind.equals("ranges") ? new RangeRule(row) : new SpendingRule(row, kind.equals("sums"));
        }
        return rules;
    }

    /** Scatters numbers (SplitMix64); unsigned shifts, as in benches/scale. */
    static long scattered(long number) {
        long mixed = number * 0x9e3779b97f4a7c15L;
        mixed = (mixed ^ (mixed >>> 30)) * 0xbf58476d1ce4e5b9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
        return mixed ^ (mixed >>> 31);
    }

    /** Numbers to events, the same ones as in benches/scale/traffic.rs. */
    static final class Make implements MapFunction<Long, Event> {
        private final long each;
        private final long perSource;
        private final long history;
        private final int sources;
        private final boolean movements;

        Make(long each, long perSource, long history, int sources, boolean movements) {
            this.each = each;
            this.perSource = perSource;
            this.history = history;
            this.sources = sources;
            this.movements = movements;
        }

        @Override
        public Event map(Long number) {
            long source = number / each;
            long at = number % each;
            long chance = scattered(source << 40 | at);
            Event event = new Event();
            event.number = at;
            event.tender = (int) ((chance >>> 8 & 0xff) % TENDERS);
            event.category = (int) ((chance & 0xff) % CATEGORIES);
            event.amount = ((chance >>> 16 & 0xffff) % 2_000 + 1) * 10_000;
            if (at < history) {
                long entries = history / perSource;
                event.customer = (int) (at % perSource * sources + source);
                event.time = START - (entries - at / perSource) * HISTORY_DAYS * DAY + (chance >>> 40) % (4 * DAY);
                return event;
            }
            long live = at - history;
            event.customer = (int) (live * 7_919 % perSource * sources + source);
            event.time = START + live * STEP;
            event.stage = (chance >>> 40 & 3) == 0 ? 0 : 1;
            if (movements) {
                event.stage = 2;
                event.amount = (chance >>> 16 & 0xffffff) % RANGE * 10_000;
                event.balance = (chance >>> 40 & 0xffffff) % RANGE * 10_000;
            }
            return event;
        }
    }

    /** Tries all rules on an event. */
    static final class Decide extends KeyedProcessFunction<Integer, Event, Action> {
        private final String[] from;
        private final long warm;
        private transient ValueState<Customer> state;
        private transient Rule[] rules;
        private transient Sums sums;
        private transient long acted;
        private transient long sum;
        private transient boolean running;

        Decide(String[] from, long warm) {
            this.from = from;
            this.warm = warm;
        }

        @Override
        public void open(OpenContext context) throws Exception {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("customer", Customer.class));
            rules = rules(from[0], from[1], Path.of(from[2]));
            sums = new Sums();
        }

        @Override
        public void processElement(Event event, Context context, Collector<Action> out) throws Exception {
            if (!running && event.number >= warm) {
                running = true;
                started.compareAndSet(0, System.nanoTime());
            }
            Customer customer = state.value();
            if (customer == null) {
                customer = new Customer();
                state.update(customer);
            }
            if (event.stage == 0) {
                Spent spent = customer.spent[event.category];
                if (spent == null) {
                    spent = customer.spent[event.category] = new Spent();
                }
                spent.add(event.time, event.amount);
            }
            if (event.time < START) {
                return;
            }
            sums.of(customer, event.time);
            for (int at = 0; at < rules.length; at++) {
                if (rules[at].when(event, sums)) {
                    act(customer, event, at, out);
                }
            }
        }

        private void act(Customer customer, Event event, int rule, Collector<Action> out) {
            Long last = customer.lastActed.get(rule);
            if (last != null && last > event.time - DAY) {
                return;
            }
            customer.lastActed.put(rule, event.time);
            Action action = new Action();
            action.customer = event.customer;
            action.rule = rule;
            action.time = event.time;
            action.value = Math.min(event.amount / 10, 300_000);
            acted++;
            sum += scattered((long) rule << 32 | event.customer) * (event.time | 1);
            out.collect(action);
        }

        @Override
        public void close() {
            fired.addAndGet(acted);
            checksum.addAndGet(sum);
        }
    }

    /** form, kind, table, customers, history entries, live events, parallelism, share of the live events that warm up. */
    public static void main(String[] a) throws Exception {
        int parallelism = Integer.parseInt(a[6]);
        long perSource = Long.parseLong(a[3]) / parallelism;
        long history = perSource * Long.parseLong(a[4]);
        long live = Long.parseLong(a[5]) / parallelism;
        long warm = history + (long) (live * Double.parseDouble(a[7]));
        long each = history + live;
        Configuration settings = new Configuration();
        settings.setString("state.backend.type", "hashmap");
        settings.setString("taskmanager.memory.network.min", "128mb");
        settings.setString("taskmanager.memory.network.max", "128mb");
        StreamExecutionEnvironment job = StreamExecutionEnvironment.createLocalEnvironment(parallelism, settings);
        job.getConfig().enableObjectReuse();
        job.fromSequence(0, each * parallelism - 1)
                .map(new Make(each, perSource, history, parallelism, a[1].equals("ranges")))
                .returns(Event.class)
                .keyBy(event -> event.customer)
                .process(new Decide(new String[] {a[0], a[1], a[2]}, warm))
                .returns(Action.class)
                .sinkTo(new DiscardingSink<>());
        job.execute();
        double seconds = (System.nanoTime() - started.get()) / 1e9;
        long measured = (each - warm) * parallelism;
        System.out.printf(
                "{\"version\":\"%s\",\"events\":%d,\"seconds\":%.3f,\"events_per_second\":%.0f,\"fired\":%d,\"checksum\":\"%x\"}%n",
                EnvironmentInformation.getVersion(), measured, seconds, measured / seconds, fired.get(), checksum.get());
    }
}

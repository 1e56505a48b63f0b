import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command-line tools one after another in one virtual machine, because starting one
 * takes longer than most tools run.
 *
 * <p>Its argument is the folder of Kafka's jars. Each line of its input is a tool: the class, what
 * the tool reads from its standard input and then its arguments, each in base64, with blanks
 * between. Each line of its output tells how it ended: the exit code, its standard output and its
 * standard error.
 */
public final class ToolServer {
    private static final class Ended extends Error {
        Ended() {
            super(null, null, false, false);
        }
    }

    private final URL[] tools;
    private final List<Runnable> atEnd = new ArrayList<>();
    private Integer code;

    private ToolServer(URL[] tools) {
        this.tools = tools;
        Exit.setExitProcedure((status, message) -> end(status));
        Exit.setHaltProcedure((status, message) -> end(status));
        Exit.setShutdownHookAdder((name, hook) -> atEnd.add(hook));
    }

    private synchronized void end(int status) {
        if (code == null) {
            code = status;
        }
        throw new Ended();
    }

    private void call(String name, String[] arguments) throws Exception {
        // Tools keep state in static fields: each call sees them new. All else stays loaded.
        try (URLClassLoader loader = new ToolLoader(tools)) {
            Thread.currentThread().setContextClassLoader(loader);
            loader.loadClass(name).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Ended)) {
                thrown.getCause().printStackTrace();
                code = code == null ? Integer.valueOf(1) : code;
            }
        } finally {
            for (Runnable hook : atEnd) {
                hook.run();
            }
            atEnd.clear();
        }
    }

    /** Loads the tools' own classes itself, and leaves all others to the virtual machine's path. */
    private static final class ToolLoader extends URLClassLoader {
        ToolLoader(URL[] tools) {
            super(tools, ToolServer.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                if (loaded == null && findResource(name.replace('.', '/') + ".class") != null) {
                    loaded = findClass(name);
                }
                return loaded != null ? loaded : super.loadClass(name, resolve);
            }
        }
    }

    private static String decoded(String word) {
        return new String(Base64.getDecoder().decode(word.substring(1)));
    }

    private static String encoded(ByteArrayOutputStream bytes) {
        return "=" + Base64.getEncoder().encodeToString(bytes.toByteArray());
    }

    public static void main(String[] given) throws Exception {
        List<URL> tools = new ArrayList<>();
        for (File jar : new File(given[0]).listFiles()) {
            if (jar.getName().matches("kafka-tools-\\d.*|kafka_2.13-.*")) {
                tools.add(jar.toURI().toURL());
            }
        }
        ToolServer server = new ToolServer(tools.toArray(new URL[0]));
        PrintStream answers = System.out;
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            // Every field begins with a mark, so that an empty one is a field too.
            String[] fields = Arrays.stream(line.split(" ")).map(ToolServer::decoded).toArray(String[]::new);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            System.setIn(new ByteArrayInputStream(fields[1].getBytes()));
            System.setOut(new PrintStream(out, true));
            System.setErr(new PrintStream(err, true));
            server.code = null;
            server.call(fields[0], Arrays.copyOfRange(fields, 2, fields.length));
            answers.println((server.code == null ? 0 : server.code) + " " + encoded(out) + " " + encoded(err));
            answers.flush();
        }
    }
}

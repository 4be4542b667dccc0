using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Uniscale.Configuration;

namespace Uniscale.Evaluation.Execution;

/// <summary>
/// Runs Python programs apart from the system, on Linux: in namespaces of their own without a network, with a file system of which
/// nothing but the system's programs is there (and cannot be written) and a small folder in memory, without privileges, under limits of
/// time, memory and processes. What unshare, setpriv and prlimit of util-linux give; where they cannot, code is not run.
/// </summary>
/// <param name="limits">What a program may use.</param>
public sealed class PythonSandbox(SandboxLimits limits) : ICodeRunner
{
    private const string Python = "/usr/bin/python3";

    /// <summary>The user that programs run as where this process is root: one without rights.</summary>
    private const string Nobody = "65534";

    /// <summary>
    /// Builds the file system over /tmp of the new mount namespace, takes the program from the standard input, and becomes it.
    /// </summary>
    private const string Script = """
        set -e
        root=/tmp
        mount -t tmpfs -o size=1m,mode=755 none "$root"
        for name in bin sbin lib lib32 lib64 usr; do
          if [ -L "/$name" ]; then
            ln -s "$(readlink "/$name")" "$root/$name"
          elif [ -d "/$name" ]; then
            mkdir "$root/$name"
            mount --rbind "/$name" "$root/$name"
            mount -o remount,bind,ro "$root/$name"
          fi
        done
        mkdir "$root/dev" "$root/work"
        for device in null zero urandom; do
          : > "$root/dev/$device"
          mount --bind "/dev/$device" "$root/dev/$device"
        done
        mount -t tmpfs -o "size=$1,mode=777,noexec" none "$root/work"
        shift
        cat > "$root/work/program.py"
        mount -o remount,bind,ro "$root"
        exec chroot "$root" /bin/sh -c 'cd /work && exec "$@"' sh "$@" < /dev/null
        """;

    /// <summary>With the limits that programs have by default.</summary>
    public static PythonSandbox Default { get; } = new(new SandboxLimits());

    /// <inheritdoc/>
    public void Check()
    {
        if (!OperatingSystem.IsLinux())
            throw new UserErrorException("Code that a model wrote is run in Linux namespaces alone: leave the task out on this system.");
        if (!File.Exists(Python))
            throw new UserErrorException(
                $"Code that a model wrote needs {Python}, which is not there: install python3, or leave the task out."
            );
        var (passed, error) = Run("");
        if (!passed)
            throw new UserErrorException(
                $"Code that a model wrote cannot be run apart from the system here ({FirstLine(error)}): allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone), or leave the task out."
            );
    }

    /// <inheritdoc/>
    public bool Passes(string program) => Run(program).Passed;

    /// <summary>Runs a program; what it said in error comes with the verdict.</summary>
    internal (bool Passed, string Error) Run(string program)
    {
        // A program that ends itself before its tests has not passed them.
        string mark = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        using var process = new Process { StartInfo = Command() };
        try
        {
            process.Start();
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            return (false, failure.Message);
        }
        var output = Tail(process.StandardOutput);
        var error = Tail(process.StandardError);
        try
        {
            process.StandardInput.Write($"{program}\nprint(\"\\n{mark}\")\n");
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended before it read all: its exit code says why.
        }
        bool inTime = process.WaitForExit(limits.Time);
        if (!inTime)
            process.Kill();
        // With the first process of the namespace all others end, and with them the pipes.
        process.WaitForExit();
        Task.WaitAll(output, error);
        bool passed = inTime && process.ExitCode == 0 && output.Result.TrimEnd().EndsWith(mark, StringComparison.Ordinal);
        return (passed, inTime ? error.Result : "the time is up");
    }

    private ProcessStartInfo Command()
    {
        string[] apart =
        [
            "unshare",
            "--user",
            "--map-root-user",
            "--net",
            "--pid",
            "--ipc",
            "--uts",
            "--mount",
            "--fork",
            "--kill-child=SIGKILL",
            "/bin/sh",
            "-c",
            Script,
            "sh",
            Text(limits.FileBytes),
            "prlimit",
            $"--as={Text(limits.MemoryBytes)}",
            $"--nproc={Text(limits.Processes)}",
            $"--fsize={Text(limits.FileBytes)}",
            $"--cpu={Text((long)Math.Ceiling(limits.Time.TotalSeconds) + 1)}",
            "--nofile=64",
            "--core=0",
            "setpriv",
            "--no-new-privs",
            "--bounding-set=-all",
            "--inh-caps=-all",
            Python,
            "-I",
            "program.py",
        ];
        // Limits of processes do not hold for root.
        string[] words = Environment.IsPrivilegedProcess
            ? ["setpriv", "--reuid", Nobody, "--regid", Nobody, "--clear-groups", .. apart]
            : apart;
        var start = new ProcessStartInfo(words[0], words[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
        start.Environment["LANG"] = "C.UTF-8";
        return start;
    }

    /// <summary>The end of what a stream says, however much that is.</summary>
    private static async Task<string> Tail(StreamReader stream)
    {
        const int kept = 4_096;
        char[] buffer = new char[kept];
        string tail = "";
        while (await stream.ReadAsync(buffer).ConfigureAwait(false) is > 0 and var count)
        {
            tail += new string(buffer, 0, count);
            if (tail.Length > kept)
                tail = tail[^kept..];
        }
        return tail;
    }

    private static string FirstLine(string text) => text.Trim().Split('\n')[0] is { Length: > 0 } line ? line : "it says nothing";

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}

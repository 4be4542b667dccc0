using System.Diagnostics;
using System.Globalization;

namespace Uniscale.Launching.Processes;

/// <summary>How a run's process ended.</summary>
/// <param name="Sentence">Why it failed; null: it ended in order.</param>
/// <param name="IsUserError">Whether the input is at fault, so that starting again will not help.</param>
public sealed record RunEnding(string? Sentence, bool IsUserError);

/// <summary>
/// A run as a child process, which is told to save when its parent is gone. Start it from a thread that outlives it.
/// </summary>
public sealed class ChildRun : IDisposable
{
    /// <summary>Output of all starts of the run, in its directory.</summary>
    public const string OutputFile = "output.log";

    /// <summary>
    /// The kernel ends the child when the thread that started it is gone, in whatever way: SIGTERM, on which it saves. Between fork and
    /// that wish the parent may die; the shell looks once more. A lock on the run directory, held as long as any of the run's processes
    /// lives, keeps a parent that goes on from starting a run twice that is still saving. A session of its own keeps the terminal's Ctrl-C
    /// from it.
    /// </summary>
    private const string Script = """
        [ "$PPID" = "$1" ] || exit 1
        lock=$2 output=$3
        shift 3
        exec flock --exclusive --no-fork "$lock" "$@" >>"$output" 2>&1 </dev/null
        """;

    private readonly Process _process;
    private readonly string _output;
    private readonly long _outputStart;

    /// <param name="directory">The run's directory, made where it is not there.</param>
    /// <param name="arguments">Arguments of this program.</param>
    /// <param name="environment">Variables of the run besides those of this process.</param>
    /// <param name="program">What to run, with its own first arguments; null: this executable.</param>
    public ChildRun(
        string directory,
        IReadOnlyList<string> arguments,
        IReadOnlyDictionary<string, string> environment,
        IReadOnlyList<string>? program = null
    )
    {
        Directory.CreateDirectory(directory);
        _output = Path.Combine(directory, OutputFile);
        _outputStart = File.Exists(_output) ? new FileInfo(_output).Length : 0;
        var start = new ProcessStartInfo("setsid");
        string[] own = [Environment.ProcessId.ToString(CultureInfo.InvariantCulture), Path.Combine(directory, "lock"), _output];
        foreach (
            string word in (string[])
                [
                    "setpriv",
                    "--pdeathsig",
                    "TERM",
                    "sh",
                    "-c",
                    Script,
                    "sh",
                    .. own,
                    .. program ?? MpiLauncher.ThisExecutable(),
                    .. arguments,
                ]
        )
            start.ArgumentList.Add(word);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        _process = Process.Start(start)!;
    }

    /// <summary>Whether it was asked to stop.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>How it ended; null: it goes on.</summary>
    public RunEnding? End =>
        !_process.HasExited ? null
        : _process.ExitCode == 0 ? new RunEnding(null, false)
        : new RunEnding(Sentence(_process.ExitCode), _process.ExitCode == 2);

    /// <summary>Asks it to save and end. Once only: a second signal would end it at once.</summary>
    public void Stop()
    {
        if (IsStopped || _process.HasExited)
            return;
        IsStopped = true;
        using var kill = Process.Start("sh", ["-c", $"kill -TERM {_process.Id} 2>/dev/null"]);
        kill.WaitForExit();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Stop();
        _process.WaitForExit();
        _process.Dispose();
    }

    /// <summary>The last sentence that the program said about its end, or what its exit code tells.</summary>
    private string Sentence(int code)
    {
        const string mark = "uniscale: ";
        using var stream = new FileStream(_output, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        stream.Position = Math.Min(_outputStart, stream.Length);
        using var reader = new StreamReader(stream);
        string? said = null;
        while (reader.ReadLine() is { } line)
            if (line.StartsWith(mark, StringComparison.Ordinal))
                said = line[mark.Length..];
        return said ?? (code > 128 ? $"it was ended by signal {code - 128}" : $"it exited with code {code}; its output is {_output}");
    }
}

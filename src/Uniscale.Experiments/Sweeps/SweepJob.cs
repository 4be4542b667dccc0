using System.Diagnostics;
using System.Globalization;
using Uniscale.Launching.Processes;

namespace Uniscale.Experiments.Sweeps;

/// <summary>How a run's process ended.</summary>
/// <param name="Sentence">Why it failed; null: it ended in order.</param>
/// <param name="IsUserError">Whether the input is at fault, so that starting again will not help.</param>
public sealed record JobEnd(string? Sentence, bool IsUserError);

/// <summary>
/// A run of a sweep as a child process, from its newest checkpoint to a step or to its end. Start it from a thread that outlives it.
/// </summary>
public sealed class SweepJob : IDisposable
{
    /// <summary>Output of all starts of the run, in its directory.</summary>
    public const string OutputFile = "output.log";

    private const string HostsFile = "hosts";

    /// <summary>
    /// The kernel ends the child when the thread that started it is gone, in whatever way: SIGTERM, on which it saves. Between fork and
    /// that
    /// wish the sweep may die; the shell looks once more. A lock on the run directory, held as long as any of the run's processes lives,
    /// keeps
    /// a sweep that goes on from starting a run twice that is still saving. A session of its own keeps the terminal's Ctrl-C from it.
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

    /// <param name="run">The run.</param>
    /// <param name="target">Step that it is to come to; <see cref="long.MaxValue"/>: its end.</param>
    /// <param name="arguments">Arguments of this program.</param>
    /// <param name="threads">Compute threads of a rank.</param>
    /// <param name="place">Where it runs.</param>
    /// <param name="program">What to run, with its own first arguments; null: this executable.</param>
    public SweepJob(
        SweepRun run,
        long target,
        IReadOnlyList<string> arguments,
        int threads,
        SweepPlace place,
        IReadOnlyList<string>? program = null
    )
    {
        (Run, Target, Place) = (run, target, place);
        Directory.CreateDirectory(run.Directory);
        if (place.Hosts is { } hosts)
        {
            string file = Path.Combine(run.Directory, HostsFile);
            hosts.Write(file);
            arguments = [.. arguments, "--hosts", file];
        }
        _output = Path.Combine(run.Directory, OutputFile);
        _outputStart = File.Exists(_output) ? new FileInfo(_output).Length : 0;
        var start = new ProcessStartInfo("setsid");
        string[] own = [Environment.ProcessId.ToString(CultureInfo.InvariantCulture), Path.Combine(run.Directory, "lock"), _output];
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
        start.Environment["OMP_NUM_THREADS"] = threads.ToString(CultureInfo.InvariantCulture);
        foreach (var (name, value) in place.Environment)
            start.Environment[name] = value;
        _process = Process.Start(start)!;
    }

    /// <summary>The run.</summary>
    public SweepRun Run { get; }

    /// <summary>Where it runs.</summary>
    public SweepPlace Place { get; }

    /// <summary>Step that it is to come to; <see cref="long.MaxValue"/>: its end.</summary>
    public long Target { get; }

    /// <summary>Whether it was asked to stop.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>How it ended; null: it goes on.</summary>
    public JobEnd? End =>
        !_process.HasExited ? null
        : _process.ExitCode == 0 ? new JobEnd(null, false)
        : new JobEnd(Sentence(_process.ExitCode), _process.ExitCode == 2);

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

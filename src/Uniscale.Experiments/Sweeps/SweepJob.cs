using System.Globalization;
using Uniscale.Launching.Processes;

namespace Uniscale.Experiments.Sweeps;

/// <summary>
/// A run of a sweep as a child process, from its newest checkpoint to a step or to its end. Start it from a thread that outlives it.
/// </summary>
public sealed class SweepJob : IDisposable
{
    private const string HostsFile = "hosts";

    private readonly ChildRun _child;

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
        if (place.Hosts is { } hosts)
        {
            Directory.CreateDirectory(run.Directory);
            string file = Path.Combine(run.Directory, HostsFile);
            hosts.Write(file);
            arguments = [.. arguments, "--hosts", file];
        }
        var environment = new Dictionary<string, string>(place.Environment)
        {
            ["OMP_NUM_THREADS"] = threads.ToString(CultureInfo.InvariantCulture),
        };
        _child = new ChildRun(run.Directory, arguments, environment, program);
    }

    /// <summary>The run.</summary>
    public SweepRun Run { get; }

    /// <summary>Where it runs.</summary>
    public SweepPlace Place { get; }

    /// <summary>Step that it is to come to; <see cref="long.MaxValue"/>: its end.</summary>
    public long Target { get; }

    /// <summary>Whether it was asked to stop.</summary>
    public bool IsStopped => _child.IsStopped;

    /// <summary>How it ended; null: it goes on.</summary>
    public RunEnding? End => _child.End;

    /// <summary>Asks it to save and end.</summary>
    public void Stop() => _child.Stop();

    /// <inheritdoc/>
    public void Dispose() => _child.Dispose();
}

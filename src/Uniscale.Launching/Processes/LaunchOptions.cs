namespace Uniscale.Launching.Processes;

/// <summary>Where ranks may run within their host.</summary>
public enum Binding
{
    /// <summary>To processors of their own where there are enough for all threads, else free.</summary>
    Auto,

    /// <summary>Free: the system moves them.</summary>
    None,

    /// <summary>To processors of their own.</summary>
    Core,
}

/// <summary>A job of processes.</summary>
public sealed record LaunchOptions
{
    /// <summary>Number of ranks.</summary>
    public required int Ranks { get; init; }

    /// <summary>Arguments of this executable in every rank, e.g. <c>train CONFIG.yaml</c>.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>What every rank runs, with its own first arguments; null: this executable.</summary>
    public IReadOnlyList<string>? Program { get; init; }

    /// <summary>Host file of mpirun; null: this machine, or what the allocation of a batch system says.</summary>
    public string? HostFile { get; init; }

    /// <summary>
    /// Hosts of an allocation for srun, each for as many ranks as it has slots; null: it is mpirun that starts the ranks.
    /// </summary>
    public HostFile? Allocation { get; init; }

    /// <summary>With srun: do not wait for the end of an earlier start, of which a part was on hosts that are gone.</summary>
    public bool OverlapsEarlierStart { get; init; }

    /// <summary>All ranks are on this machine and need no network.</summary>
    internal bool IsOneHost { get; init; }

    /// <summary>Compute threads of a rank; 0: processors divided by ranks.</summary>
    public int Threads { get; init; }

    /// <summary>Where ranks may run.</summary>
    public Binding Binding { get; init; }

    /// <summary>Begin every line of output with the rank that wrote it.</summary>
    public bool TagOutput { get; init; }

    /// <summary>Variables for the ranks besides those of this process.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// Variables of this process that the ranks need besides those that are always passed on, such as the ones that the configuration
    /// names. Their values stay off
    /// the command line, where every user of the machine can read them.
    /// </summary>
    public IReadOnlyList<string> Forwarded { get; init; } = [];

    /// <summary>Folder for the ranks' reports, on a file system that all hosts share; null: a temporary one.</summary>
    public string? Folder { get; init; }

    /// <summary>Time for ranks to save and end after the first SIGINT or SIGTERM.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Where the ranks' output goes; null: where this process's goes.</summary>
    public TextWriter? Output { get; init; }

    /// <summary>Where the ranks' errors go; null: where this process's go.</summary>
    public TextWriter? Error { get; init; }

    /// <summary>The mpirun or mpiexec to use; null: as <see cref="Processes.Mpirun.Find"/> chooses.</summary>
    public string? Mpirun { get; init; }
}

/// <summary>How a job ended.</summary>
/// <param name="ExitCode">0: done; 2: the user's input is at fault; 1: anything else.</param>
/// <param name="First">The first failure; null where there is none or it could not be told.</param>
/// <param name="WasStopped">True if a signal to the launcher ended it.</param>
public sealed record LaunchResult(int ExitCode, RankFailure? First, bool WasStopped)
{
    /// <summary>
    /// Why the job could go on in another allocation of a batch system; null: it is done, was stopped by a person, or would fail again.
    /// </summary>
    public string? Requeue { get; init; }
}

using System.Diagnostics;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Slurm;

namespace Uniscale.Launching.Processes;

/// <summary>A running job of processes under mpirun or srun. It is asked to save and end when this process is killed.</summary>
public sealed class LaunchedJob : IDisposable
{
    /// <summary>Time that mpirun has to end the others once a rank has failed; the whole job is to be gone in under ten seconds.</summary>
    private static readonly TimeSpan EndOfFailedJob = TimeSpan.FromSeconds(5);

    /// <summary>Time that Slurm has to tell srun of the end of a step.</summary>
    private static readonly TimeSpan EndOfStep = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    private readonly LaunchOptions _options;
    private readonly Mpirun _starter;
    private readonly bool _ownsFolder;
    private readonly Process _mpirun;
    private readonly Process _deathWatch;
    private readonly MpirunOutput _words = new();
    private readonly Task _streams;
    private readonly Lock _gate = new();
    private DateTimeOffset? _stopAsked;
    private int _stopCount;
    private bool _isKilled;

    internal LaunchedJob(
        LaunchOptions options,
        LaunchFolder folder,
        Mpirun mpirun,
        IReadOnlyList<string> arguments,
        IReadOnlyDictionary<string, string?> environment,
        bool ownsFolder
    )
    {
        (_options, Folder, _starter, _ownsFolder) = (options, folder, mpirun, ownsFolder);
        // A session of its own keeps the terminal's Ctrl-C from mpirun, which would kill the ranks before they can save.
        var start = new ProcessStartInfo("setsid")
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
            RedirectStandardOutput = options.Output is not null,
        };
        foreach (string argument in (IEnumerable<string>)[mpirun.Command, .. arguments])
            start.ArgumentList.Add(argument);
        RankEnvironment.Clear(start.Environment);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        _mpirun = Process.Start(start)!;
        folder.Mpirun = _mpirun.Id;
        _deathWatch = WatchForDeath(_mpirun.Id);
        _mpirun.StandardInput.Close();
        _streams = Task.WhenAll(RelayErrors(), options.Output is null ? Task.CompletedTask : RelayOutput(options.Output));
    }

    /// <summary>Open MPI's mpirun and srun pass SIGUSR1 on to every rank, on every host; MPICH's SIGINT, once.</summary>
    private string StopSignal => _starter.IsOpenMpi || _starter.IsSrun ? "USR1" : "INT";

    /// <summary>Where the ranks report.</summary>
    public LaunchFolder Folder { get; }

    /// <summary>What started the ranks, in a sentence.</summary>
    internal string StarterName => _starter.IsSrun ? "srun" : "mpirun";

    /// <summary>True if the ranks were ended because they had not ended by themselves in the time that a stop leaves them.</summary>
    public bool HasOutlastedGrace { get; private set; }

    /// <summary>True once mpirun has ended.</summary>
    public bool HasEnded => _mpirun.HasExited;

    /// <summary>
    /// Asks all ranks to save and end; when they have not within the grace period, or when asked again, ends them.
    /// </summary>
    public void Stop()
    {
        lock (_gate)
        {
            if (HasEnded)
                return;
            _stopAsked ??= DateTimeOffset.UtcNow;
            _deathWatch.Kill();
            if (++_stopCount > 1)
                Kill();
            else
                Signal(StopSignal);
        }
    }

    /// <summary>Ends all ranks now.</summary>
    public void Kill()
    {
        _isKilled = true;
        // srun only passes SIGTERM on, on which ranks would save; Slurm ends them on all nodes.
        bool isAsked = _starter.IsSrun && SlurmJob.KillStep(Folder.FullPath);
        if (!isAsked)
            Signal("TERM");
        if (!_mpirun.WaitForExit(isAsked ? EndOfStep : TimeSpan.FromSeconds(3)))
            _mpirun.Kill(entireProcessTree: true);
    }

    /// <summary>Waits for the end.</summary>
    /// <param name="watch">Called a few times a second while the job runs, e.g. to look at heartbeats.</param>
    public LaunchResult Wait(Action? watch = null)
    {
        while (!_mpirun.WaitForExit(Poll))
        {
            watch?.Invoke();
            if (_stopAsked is { } asked && DateTimeOffset.UtcNow - asked > _options.Grace)
            {
                HasOutlastedGrace = true;
                Kill();
            }
            else if (EarliestFailure() is { } first && DateTimeOffset.UtcNow - first.Time > EndOfFailedJob)
                Kill();
        }
        _deathWatch.Kill();
        _streams.Wait();
        // Ranks outlive an srun that was killed, on other nodes out of the launcher's reach.
        if (_starter.IsSrun && _mpirun.ExitCode != 0)
            SlurmJob.KillStep(Folder.FullPath);
        return Result();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _deathWatch.Kill();
        if (!HasEnded)
            Kill();
        _deathWatch.Dispose();
        _mpirun.Dispose();
        if (_ownsFolder)
            Directory.Delete(Folder.FullPath, recursive: true);
    }

    /// <summary>
    /// Asks mpirun as Stop would when this process is killed; else its ranks would go on with nobody to watch them, beside those of a
    /// resumed job.
    /// It waits for the end of a pipe that this process holds. A parent-death signal of the kernel comes once for each thread that ends,
    /// and a
    /// second SIGINT makes MPICH's mpirun abort the job.
    /// </summary>
    private Process WatchForDeath(int mpirun)
    {
        var start = new ProcessStartInfo("setsid") { RedirectStandardInput = true };
        foreach (string argument in (string[])["sh", "-c", """read -r _; kill -"$1" "$2" 2>/dev/null""", "sh", StopSignal, $"{mpirun}"])
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    /// <summary>Ranks report theirs; of a host that ssh has given up there are none, and MPICH's mpirun waits on for it.</summary>
    private RankFailure? EarliestFailure() => Folder.Failures() is [{ } first, ..] ? first : _words.Unreachable;

    private LaunchResult Result()
    {
        bool wasStopped = _stopAsked is not null;
        if (_mpirun.ExitCode == 0)
            return new(0, null, wasStopped);
        var first = Folder.First() ?? _words.Unreachable;
        // mpirun may end as its ranks did, but not before them.
        if (!_isKilled && RankGuard.IsSignal(_mpirun.ExitCode) && (first is null || first.Time > _mpirun.ExitTime))
            first = RankGuard.Failure(-1, Environment.MachineName, _mpirun.ExitTime, _mpirun.ExitCode, StarterName);
        return new(first?.IsUserError == true ? 2 : 1, first, wasStopped);
    }

    private async Task RelayErrors()
    {
        var target = _options.Error ?? Console.Error;
        while (await _mpirun.StandardError.ReadLineAsync().ConfigureAwait(false) is { } line)
            foreach (string shown in _words.Take(line))
                await target.WriteLineAsync(shown).ConfigureAwait(false);
        foreach (string shown in _words.Rest())
            await target.WriteLineAsync(shown).ConfigureAwait(false);
    }

    private async Task RelayOutput(TextWriter target)
    {
        while (await _mpirun.StandardOutput.ReadLineAsync().ConfigureAwait(false) is { } line)
            await target.WriteLineAsync(line).ConfigureAwait(false);
    }

    private void Signal(string name)
    {
        using var kill = Process.Start("sh", ["-c", $"kill -{name} {_mpirun.Id} 2>/dev/null"]);
        kill.WaitForExit();
    }
}

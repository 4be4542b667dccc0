using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Ranks;

namespace Uniscale.Launching.Supervision;

/// <summary>How a job is watched and started again.</summary>
public sealed record SupervisionOptions
{
    /// <summary>Restarts in all; 0: none.</summary>
    public int MaxRestarts { get; init; }

    /// <summary>Times that one kind of fault may happen at one step.</summary>
    public int MaxSameFault { get; init; } = 3;

    /// <summary>When a job that stands still is ended.</summary>
    public HangLimits Hang { get; init; } = new();

    /// <summary>Pause before a restart, so that a node or a disk may come back.</summary>
    public TimeSpan RestartDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>On how many ranks and which hosts the job is started, where that may change.</summary>
    public JobShape? Shape { get; init; }

    /// <summary>
    /// Hosts of the next or present start that the batch system has lost; it is asked while ranks are missing. Null: nobody knows.
    /// </summary>
    public Func<IReadOnlyList<string>>? Lost { get; init; }

    /// <summary>Hears of every turn in the job's life; it must return at once. Null: nobody.</summary>
    public Action<JobEvent>? Told { get; init; }

    /// <summary>Folder of the job, shared by all hosts: the log of its life, and a folder for every attempt.</summary>
    public required string Folder { get; init; }
}

/// <summary>
/// Keeps a job of processes going: ends it when it hangs, names the cause, and starts it again from its newest checkpoint.
/// </summary>
/// <param name="options">When and how often.</param>
/// <param name="job">The job of an attempt (from 1); every attempt after the first must resume.</param>
/// <param name="say">Takes sentences for the user.</param>
public sealed class Supervisor(SupervisionOptions options, Func<int, LaunchOptions> job, Action<string> say)
{
    /// <summary>What batch systems are asked to send before the end of a job's time.</summary>
    private const PosixSignal UserSignal1 = (PosixSignal)10;

    private const string LostKind = "lost host";

    private const int MostMissed = 4;

    private static readonly TimeSpan LostPeriod = TimeSpan.FromSeconds(5);

    private readonly RestartBudget _budget = new(options.MaxRestarts, options.MaxSameFault);
    private readonly EventLog _log = new(options.Folder);
    private readonly Lock _gate = new();
    private LaunchedJob? _running;
    private bool _isStopped;
    private bool _isToMakeRoom;
    private string? _change;
    private readonly Dictionary<string, int> _missed = [];
    private BeatClocks _clocks = new();
    private long _lostLook;
    private TimeSpan _nextLook = options.Hang.Minimum;

    /// <summary>
    /// Runs the job to its end. SIGINT and SIGTERM to this process are passed on to it. The failure of a job that is given up is in the
    /// result.
    /// </summary>
    public LaunchResult Run()
    {
        Directory.CreateDirectory(options.Folder);
        // Of a job that was killed with its launcher.
        foreach (string attempt in Directory.EnumerateDirectories(options.Folder, "attempt-*"))
            SharedSegments.Remove(attempt);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        using var warning = PosixSignalRegistration.Create(UserSignal1, OnSignal);
        _change = options.Shape?.Begin().Said;
        if (_change is not null)
            say($"{_change}.");
        for (int attempt = 1; ; attempt++)
        {
            Tell(
                attempt == 1 ? JobEventKind.Started : JobEventKind.Restarted,
                attempt,
                step: 0,
                $"attempt {attempt}{(_change is null ? "" : $": {_change}")}"
            );
            var (result, fault) = RunOnce(attempt);
            if (fault is null)
                return Ended(attempt, result);
            string? refusal =
                result.First?.IsUserError == true ? "the input is at fault"
                : result.First?.Kind == nameof(TrainingStoppedException) ? "the run ended itself as its configuration asks"
                : _isStopped ? "the job was stopped"
                : Prepare(fault);
            if (refusal is not null)
            {
                bool isForElsewhere =
                    !_isStopped && result.First is not ({ IsUserError: true } or { Kind: nameof(TrainingStoppedException) });
                return GivenUp(attempt, result, fault, refusal) with { Requeue = isForElsewhere ? fault.Message : null };
            }
            string changed = _change is null ? "" : $" {char.ToUpperInvariant(_change[0])}{_change[1..]}.";
            say(
                $"{fault.Message}.{changed} Starting again from the newest checkpoint ({_budget.Restarts} of {options.MaxRestarts} restarts)."
            );
            Thread.Sleep(options.RestartDelay);
        }
    }

    /// <summary>Asks the job to save and end, from any thread.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _isStopped = true;
            _running?.Stop();
        }
    }

    /// <summary>Folder of an attempt.</summary>
    public static string AttemptFolder(string folder, int attempt) =>
        Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"attempt-{attempt:D4}"));

    private (LaunchResult Result, Fault? Fault) RunOnce(int attempt)
    {
        string folder = AttemptFolder(options.Folder, attempt);
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        var launch = job(attempt) with { Folder = folder };
        using var running = MpiLauncher.Start(launch);
        lock (_gate)
        {
            _running = running;
            if (_isStopped)
                running.Stop();
        }
        _missed.Clear();
        _clocks = new BeatClocks();
        var detector = new HangDetector(options.Hang);
        var start = new StartWatch(folder, launch.Ranks, options.Hang.Start);
        Fault? hang = null;
        bool isUnbegun = false;
        var result = running.Wait(() =>
            hang ??=
                (isUnbegun |= EndUnbegun(running, folder))
                    ? null
                    : LookForAbsence(running, start, attempt) ?? LookForHang(running, detector, attempt, folder)
        );
        lock (_gate)
            _running = null;
        if (Leftovers.End(folder) is > 0 and var count)
            say($"{running.StarterName} was gone before {count} of its ranks; they have been ended.");
        if (isUnbegun)
            return (new LaunchResult(0, null, WasStopped: true), null);
        if (hang is not null)
            return (result with { ExitCode = 1, First = FailureOf(hang) }, hang);
        long step = StepOf(folder);
        // Ranks that were ended have nothing to say of it, and an mpirun that ended them may call it a success.
        var outlasted = running.HasOutlastedGrace ? Outlasted(step, launch.Grace) : null;
        if (outlasted is not null)
            result = result with { ExitCode = 1, First = FailureOf(outlasted) };
        if (result.ExitCode == 0 && !result.WasStopped && running.Folder.WasAsked)
        {
            _isToMakeRoom = true;
            result = result with { WasStopped = true };
        }
        if (result.ExitCode == 0)
            return (result, null);
        var fault =
            outlasted
            ?? (
                result.First is { } first
                    ? new Fault(first.Kind, step, first.Rank, first.Host, first.ToString()) { Refused = first.Refused }
                    : start.WhoIsLost(_clocks.Read(folder, DateTimeOffset.UtcNow)) ?? new Fault("mpirun", step, -1, "", "mpirun failed; its words are above")
            );
        Tell(JobEventKind.Fault, attempt, step, fault.Message, fault);
        return (result, fault);
    }

    private static Fault Outlasted(long step, TimeSpan grace) =>
        new(
            "grace",
            step,
            -1,
            "",
            $"the ranks had not saved and ended {Diagnosis.Seconds(grace)} s after they were asked to (--grace) and were ended; what they did since the newest checkpoint is lost"
        );

    /// <summary>
    /// Ends a job that was stopped before any of its ranks came to a step: there is nothing to save, and nobody to agree with.
    /// </summary>
    private bool EndUnbegun(LaunchedJob running, string folder)
    {
        lock (_gate)
            if (!_isStopped)
                return false;
        var beats = Heartbeat.ReadAll(folder);
        if (beats.Any(beat => beat.Busy != Heartbeat.Starting))
            return false;
        say("Stopped before training began; there was nothing to save.");
        running.Kill();
        return true;
    }

    private Fault? LookForAbsence(LaunchedJob running, StartWatch start, int attempt)
    {
        if ((start.Observe(DateTimeOffset.UtcNow) ?? LookForLostHosts(start)) is not { } fault)
            return null;
        Tell(JobEventKind.Fault, attempt, fault.Step, fault.Message, fault);
        running.Kill();
        return fault;
    }

    /// <summary>
    /// A job waits in vain for hosts that are gone, and srun for the end of what ran there before. A busy host may miss a question of the
    /// batch system: it is gone when it has missed
    /// several.
    /// </summary>
    private Fault? LookForLostHosts(StartWatch start)
    {
        if (options.Lost is null || start.IsDone || Stopwatch.GetElapsedTime(_lostLook) < LostPeriod)
            return null;
        _lostLook = Stopwatch.GetTimestamp();
        var lost = options.Lost();
        foreach (string found in _missed.Keys.Except(lost).ToList())
            _missed.Remove(found);
        foreach (string host in lost)
            _missed[host] = _missed.GetValueOrDefault(host) + 1;
        string[] gone = [.. _missed.Where(host => host.Value >= MostMissed).Select(host => host.Key)];
        return gone.Length == 0
            ? null
            : new Fault(
                LostKind,
                0,
                -1,
                gone[0],
                $"{(gone.Length == 1 ? "host" : "hosts")} {string.Join(", ", gone)} {(gone.Length == 1 ? "does" : "do")} not answer the batch system"
            )
            {
                Refused = gone,
            };
    }

    private Fault? LookForHang(LaunchedJob running, HangDetector detector, int attempt, string folder)
    {
        var now = DateTimeOffset.UtcNow;
        var beats = _clocks.Read(folder, now);
        if ((detector.Observe(beats, now) ?? LookForDisagreement(detector, folder)) is not { } still)
            return null;
        var diagnosis = Diagnosis.Of(folder, beats, now);
        var fault = new Fault(
            RankFailure.HangKind,
            StepOf(folder),
            diagnosis.Suspects[0],
            diagnosis.HostOf(beats),
            $"the job has stood still for {Diagnosis.Seconds(still)} s at step {StepOf(folder)}: {diagnosis.Sentence}"
        );
        Tell(JobEventKind.Fault, attempt, fault.Step, fault.Message, fault, diagnosis.Table);
        running.Kill();
        return fault;
    }

    /// <summary>
    /// What a rank is busy with may be waiting for one that waits elsewhere: journals are read once in every standstill of the shortest
    /// length.
    /// </summary>
    private TimeSpan? LookForDisagreement(HangDetector detector, string folder)
    {
        if (detector.Still < options.Hang.Minimum)
            _nextLook = options.Hang.Minimum;
        if (detector.Still < _nextLook)
            return null;
        _nextLook += options.Hang.Minimum;
        return Diagnosis.HasDisagreement(folder) ? detector.Still : null;
    }

    /// <summary>Decides how the job goes on after a fault.</summary>
    /// <returns>Null if it does; else why not, in a sentence.</returns>
    private string? Prepare(Fault fault)
    {
        var change = options.Shape?.After(fault, _budget.HasComeBack(fault)) ?? default;
        _change = change.Said;
        // It would be refused again.
        if (fault.Refused.Count > 0 && !change.IsOther)
            return $"the job cannot do without: {change.Refusal ?? "its hosts cannot be changed"}";
        if (change.IsOther)
            _budget.Forget(fault);
        string? refusal = _budget.Spend(fault);
        return refusal is not null && change.Refusal is not null ? $"{refusal}, and {change.Refusal}" : refusal;
    }

    private LaunchResult Ended(int attempt, LaunchResult result)
    {
        Tell(
            result.WasStopped ? JobEventKind.Stopped : JobEventKind.Finished,
            attempt,
            StepOf(AttemptFolder(options.Folder, attempt)),
            result.WasStopped ? "stopped as asked" : "finished"
        );
        return result with { Requeue = result.WasStopped && _isToMakeRoom ? "its time is over or others need the nodes" : null };
    }

    private LaunchResult GivenUp(int attempt, LaunchResult result, Fault fault, string refusal)
    {
        Tell(JobEventKind.GivenUp, attempt, fault.Step, $"{fault.Message}; {refusal}", fault);
        return result with { First = result.First ?? FailureOf(fault) };
    }

    private static RankFailure FailureOf(Fault fault) =>
        new(fault.Rank, fault.Host, DateTimeOffset.UtcNow, fault.Kind, fault.Message, IsUserError: false);

    private static long StepOf(string folder)
    {
        var beats = Heartbeat.ReadAll(folder);
        return beats.Count == 0 ? 0 : beats.Max(beat => beat.Step);
    }

    /// <summary>Puts into the log that the job goes back into the queue of its batch system, as far as it may.</summary>
    /// <param name="reason">Why.</param>
    /// <returns>Null if it may; else why not, in a sentence.</returns>
    public string? TellRequeue(string reason)
    {
        var events = EventLog.Read(options.Folder);
        long step = events.Count > 0 ? events[^1].Step : 0;
        string? refusal = RequeueBudget.Refusal(events, step);
        if (refusal is null)
            Tell(JobEventKind.Requeued, events.Count > 0 ? events[^1].Attempt : 0, step, reason);
        return refusal;
    }

    private void Tell(JobEventKind kind, int attempt, long step, string message, Fault? fault = null, IReadOnlyList<string>? details = null)
    {
        var entry = new JobEvent(DateTimeOffset.UtcNow, kind, attempt, step, message, fault, details);
        _log.Add(entry);
        options.Told?.Invoke(entry);
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        if (context.Signal != PosixSignal.SIGINT)
            _isToMakeRoom = true;
        Stop();
    }
}

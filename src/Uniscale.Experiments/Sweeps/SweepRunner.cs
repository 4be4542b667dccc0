using System.Diagnostics;
using System.Runtime.InteropServices;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;
using Uniscale.Telemetry;
using Uniscale.Telemetry.TensorBoard;

namespace Uniscale.Experiments.Sweeps;

/// <summary>
/// Takes the runs of a sweep to their ends, several side by side. All that it knows lies in the runs' own directories, so a sweep that was
/// killed goes on where it was. <see cref="Run"/> starts processes that live only as long as the thread that calls it.
/// </summary>
/// <param name="plan">The sweep.</param>
/// <param name="places">Where runs go, side by side; each holds one at a time.</param>
/// <param name="say">Takes sentences for the user.</param>
/// <param name="program">What to start for a run, with its own first arguments; null: this executable.</param>
/// <param name="only">The one run that is taken further here, by its index, while other jobs of a batch system do the others; null:
/// all.</param>
public sealed class SweepRunner(
    SweepPlan plan,
    IReadOnlyList<SweepPlace> places,
    Action<string> say,
    IReadOnlyList<string>? program = null,
    int? only = null
)
{
    private const string PlanFile = "plan.json";
    private const string FailureFile = "failure.txt";

    /// <summary>SIGUSR1: what batch systems are asked to send before the end of a job's time.</summary>
    private const PosixSignal UserSignal1 = (PosixSignal)10;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    private readonly StoppingRule _rule = StoppingRule.Of(plan.Sweep.Stop);
    private readonly RunCurve[] _curves = [.. plan.Runs.Select(_ => RunCurve.Empty)];
    private readonly string?[] _failures = new string?[plan.Runs.Count];
    private readonly int[] _faults = new int[plan.Runs.Count];
    private readonly List<SweepJob> _running = [];
    private volatile bool _isStopped;

    /// <summary>Trains all runs. SIGINT and SIGTERM to this process save and stop those that are running.</summary>
    /// <returns>The table; null: stopped before the end.</returns>
    /// <exception cref="UserErrorException">The directory holds another sweep, or another process works on this one.</exception>
    public SweepTable? Run()
    {
        using var hold = Begin(isShared: only is not null);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        using var warning = only is null ? null : PosixSignalRegistration.Create(UserSignal1, OnSignal);
        LookAtAll();
        try
        {
            for (long look = Stopwatch.GetTimestamp(); Advance(); look = Stopwatch.GetTimestamp())
            {
                // Curves of long runs take their time to read; the runs need the cores.
                var pause = Stopwatch.GetElapsedTime(look) * 20;
                Thread.Sleep(pause > Poll ? pause : Poll);
            }
        }
        finally
        {
            foreach (var job in _running)
                job.Stop();
            foreach (var job in _running)
                job.Dispose();
        }
        return _isStopped ? null : Table();
    }

    /// <summary>The table as things stand.</summary>
    public SweepTable Table() => SweepTable.Of(plan, _curves, _failures, _rule.Judge(Progress()));

    /// <summary>Metric of each run by step, as things stand.</summary>
    public IReadOnlyList<RunCurve> Curves => _curves;

    /// <summary>One look at all runs; false: there is nothing more to do.</summary>
    private bool Advance()
    {
        if (only is not null)
            LookAtAll();
        foreach (var job in _running)
            Look(job.Run.Index);
        foreach (var job in _running.FindAll(job => job.End is not null))
            Ended(job, job.End!);
        if (_isStopped)
            return false;
        var verdicts = _rule.Judge(Progress());
        foreach (var job in _running)
            if (verdicts[job.Run.Index].StoppedAt is { } step && !job.IsStopped)
            {
                say($"{job.Run.Name}: stopped by the {plan.Sweep.Stop.Rule.ToString().ToLowerInvariant()} rule after step {step}.");
                job.Stop();
            }
        foreach (var run in plan.Runs)
            if (_running.Count < places.Count && run.Index == (only ?? run.Index) && IsToStart(run.Index, verdicts[run.Index]))
                Start(run, verdicts[run.Index].Target);
        return _running.Count > 0;
    }

    private bool IsToStart(int run, StoppingVerdict verdict) =>
        _failures[run] is null
        && verdict.StoppedAt is null
        && !HasReached(run, verdict.Target)
        && _running.TrueForAll(job => job.Run.Index != run);

    private bool HasReached(int run, long target) =>
        _curves[run].HasFinished || (target != long.MaxValue && _curves[run].At(target) is not null);

    private void Start(SweepRun run, long target)
    {
        var place = places.First(place => !_running.Exists(other => ReferenceEquals(other.Place, place)));
        var job = new SweepJob(run, target, Arguments(plan, run, target), plan.Sweep.Threads, place, program);
        _running.Add(job);
        say(
            $"{run.Name} of {plan.Runs.Count}{(target == long.MaxValue ? "" : $", to step {target}")}: {run.Title}{(place.Title.Length > 0 ? $" ({place.Title})" : "")}"
        );
    }

    /// <summary>Arguments of this program that take a run to a step or, with <see cref="long.MaxValue"/>, to its end.</summary>
    public static IReadOnlyList<string> Arguments(SweepPlan plan, SweepRun run, long target) =>
        [
            plan.Sweep.Processes ? "launch" : "train",
            plan.BasePath,
            "--ranks",
            $"{plan.Sweep.Ranks}",
            .. plan.Sweep.Processes ? (string[])["--bind", "none"] : [],
            "--resume",
            .. target == long.MaxValue ? (string[])[] : ["--stop-after", $"{target}"],
            .. run.Overrides.SelectMany(value => (string[])["--set", value]),
        ];

    private void Ended(SweepJob job, RunEnding end)
    {
        int run = job.Run.Index;
        Look(run);
        bool wasAsked = job.IsStopped || _isStopped;
        _running.Remove(job);
        job.Dispose();
        string curves = Path.Combine(plan.Runs[run].Directory, TelemetryFactory.TensorBoardFolder);
        if (Directory.Exists(curves))
            HyperparameterFile.Write(curves, plan.Runs[run].Values, end.Sentence is null);
        if (_curves[run].HasFinished)
            say($"{job.Run.Name}: finished, {SweepTable.MetricName(plan.Sweep.Metric)} {SweepTable.Short(_curves[run].Last)}.");
        if (wasAsked || (end.Sentence is null && HasReached(run, job.Target)))
            return;
        string sentence =
            (end.Sentence ?? $"it ended in order after step {_curves[run].LastStep}, before its time: somebody stopped it").TrimEnd('.')
            + ".";
        if (end.IsUserError || ++_faults[run] > plan.Sweep.Restarts)
            Fail(run, sentence);
        else
            say($"{job.Run.Name}: {sentence} Starting again from its newest checkpoint.");
    }

    private void Fail(int run, string sentence)
    {
        _failures[run] = sentence;
        File.WriteAllText(Path.Combine(plan.Runs[run].Directory, FailureFile), sentence);
        say($"{plan.Runs[run].Name}: failed: {sentence}");
    }

    /// <summary>Makes the sweep's directory and writes its plan down, for jobs that come later.</summary>
    /// <exception cref="UserErrorException">The directory holds another sweep, or another process works on this one.</exception>
    public void Prepare() => Begin(isShared: true).Dispose();

    /// <summary>Runs that are to go on, as things stand in the runs' directories.</summary>
    /// <returns>Indices; runs that wait for others are not among them.</returns>
    public IReadOnlyList<int> Needed()
    {
        LookAtAll();
        var verdicts = _rule.Judge(Progress());
        return [.. plan.Runs.Select(run => run.Index).Where(run => IsToStart(run, verdicts[run]))];
    }

    private void LookAtAll()
    {
        for (int run = 0; run < plan.Runs.Count; run++)
            Look(run);
    }

    private void Look(int run)
    {
        _curves[run] = RunCurve.Read(plan.Runs[run].Directory, plan.Sweep.Metric);
        string failure = Path.Combine(plan.Runs[run].Directory, FailureFile);
        _failures[run] ??= plan.Runs[run].Refusal ?? (File.Exists(failure) ? File.ReadAllText(failure) : null);
    }

    private RunProgress[] Progress() => [.. _curves.Zip(_failures, (curve, failure) => new RunProgress(curve, failure is not null))];

    /// <summary>Makes the sweep's directory, or takes up the one that is there.</summary>
    private FileStream Begin(bool isShared)
    {
        Directory.CreateDirectory(plan.Directory);
        FileStream hold;
        try
        {
            // Jobs of a batch system share the sweep, each with a run of its own.
            hold = !isShared
                ? new FileStream(Path.Combine(plan.Directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None)
                : new FileStream(Path.Combine(plan.Directory, "lock"), FileMode.OpenOrCreate, FileAccess.Read, FileShare.Read);
        }
        catch (IOException error)
        {
            throw new UserErrorException(
                $"Another process works on the sweep in {plan.Directory}: wait for its end, or give this one another name.",
                error
            );
        }
        string path = Path.Combine(plan.Directory, PlanFile),
            identity = plan.Identity();
        if (!File.Exists(path))
        {
            File.WriteAllText(path + ".tmp", identity);
            File.Move(path + ".tmp", path);
        }
        else if (File.ReadAllText(path) != identity)
        {
            hold.Dispose();
            throw new UserErrorException(
                $"{plan.Directory} holds a sweep with other runs or another rule (see {path}): give this one another name, or remove that directory."
            );
        }
        return hold;
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        if (!_isStopped)
            say("Stopping: the runs save and end. The same command goes on.");
        _isStopped = true;
    }
}

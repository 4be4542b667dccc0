using System.Diagnostics;
using System.Globalization;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Loading;
using Uniscale.Configuration;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Supervision;
using Uniscale.Training.Faults;

namespace Uniscale.Experiments.Faults;

/// <summary>What random kills came to.</summary>
/// <param name="Layout">The layout.</param>
/// <param name="Kills">SIGKILLs to a rank.</param>
/// <param name="InsideSaves">Those that hit while a checkpoint was being written.</param>
/// <param name="Verified">Checkpoints that said they are good, after a kill, and were read to the last byte.</param>
/// <param name="Seconds">Time of all.</param>
/// <param name="Problem">What is not as promised; empty: nothing.</param>
public sealed record KillResult(string Layout, int Kills, int InsideSaves, int Verified, double Seconds, string Problem);

/// <summary>
/// Kills ranks of one supervised run at random moments, half of them while a checkpoint is being written, from outside: what the run itself
/// could say about the moment plays no part. Each attempt is let do a few steps first, so that there is something to lose.
/// </summary>
/// <param name="matrix">The run and its layouts.</param>
/// <param name="directory">Directory of the runs.</param>
/// <param name="program">This executable, with its first arguments.</param>
public sealed class KillRun(FaultMatrix matrix, string directory, IReadOnlyList<string> program)
{
    private const int StepsBetweenSaves = 2,
        LeastSteps = 4,
        MostSteps = 14;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(2);

    private readonly Random _random = new(1);
    private int _kills,
        _insideSaves,
        _verified;

    /// <summary>Runs the first layout of several ranks.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    public KillResult Run(int kills)
    {
        var layout =
            matrix.Layouts.FirstOrDefault(layout => layout.Ranks > 1)
            ?? throw new UserErrorException("--kills needs a layout of two ranks or more.");
        // Some steps more than the kills need: on a busy machine the one who kills sees them late.
        long steps = 8L * MostSteps + (LeastSteps + MostSteps) / 2 * kills;
        var patient = matrix with { MaxRestarts = kills + 5, CellSeconds = 60 + 60 * kills };
        var runner = new CellRunner(patient, directory, program);
        var entry = new CaseSection
        {
            Name = "kills",
            Set = new Dictionary<string, string>
            {
                ["train.steps"] = steps.ToString(CultureInfo.InvariantCulture),
                ["checkpoint.every"] = StepsBetweenSaves.ToString(CultureInfo.InvariantCulture),
                ["logging.every"] = "100",
            },
        };
        string whole = runner.Unbroken(layout, entry);
        string run = CellRunner.Fresh(Path.Combine(directory, "kills"));
        var watch = Stopwatch.StartNew();
        var job = Task.Run(() => runner.Start(layout, entry, run, [], resume: false));
        string problem = Harass(run, layout.Ranks, kills, job);
        var (code, output) = job.GetAwaiter().GetResult();
        File.WriteAllText(Path.Combine(run, "output.log"), output);
        if (problem.Length == 0 && code != 0)
            problem = $"its exit code is {code}: {CellRunner.LastLine(output)}";
        if (problem.Length == 0 && _kills < kills)
            problem = $"it ended after {_kills} of {kills} kills";
        if (problem.Length == 0)
            problem = RunDifference.Of(whole, run);
        return new(layout.Name, _kills, _insideSaves, _verified, watch.Elapsed.TotalSeconds, problem);
    }

    private string Harass(string run, int ranks, int kills, Task job)
    {
        string launch = Path.Combine(run, RankLauncher.FolderName),
            checkpoints = Path.Combine(run, "checkpoints");
        for (int attempt = 1; _kills < kills && !job.IsCompleted; attempt++)
        {
            string folder = Supervisor.AttemptFolder(launch, attempt);
            if (!AwaitSteps(folder, ranks, LeastSteps + _random.Next(MostSteps - LeastSteps + 1), job))
                return "";
            if (_kills % 2 == 0)
                AwaitSave(checkpoints, job);
            Thread.Sleep(_random.Next(20));
            var victims = Heartbeat.ReadAll(folder).Where(beat => !beat.HasEnded).ToList();
            if (victims.Count < ranks || job.IsCompleted)
                return "";
            bool isInside = IsBeingWritten(checkpoints);
            ProcessSignal.ToProcess(victims[_random.Next(ranks)].ProcessId, ProcessSignal.Kill);
            _kills++;
            if (isInside)
                _insideSaves++;
            foreach (var victim in victims)
                AwaitEnd(victim.ProcessId, job);
            if (Lie(checkpoints) is { } lie)
                return $"kill {_kills}: a checkpoint that says it is good is not: {lie}";
        }
        return "";
    }

    private static bool AwaitSteps(string folder, int ranks, int steps, Task job)
    {
        long first = 0;
        while (!job.IsCompleted)
        {
            var beats = Directory.Exists(folder) ? Heartbeat.ReadAll(folder) : [];
            long step = beats.Count < ranks ? 0 : beats.Min(beat => beat.Step);
            if (first == 0)
                first = step;
            if (first > 0 && step >= first + steps)
                return true;
            Thread.Sleep(Poll);
        }
        return false;
    }

    private static void AwaitSave(string checkpoints, Task job)
    {
        var watch = Stopwatch.StartNew();
        while (!IsBeingWritten(checkpoints) && !job.IsCompleted && watch.Elapsed < TimeSpan.FromSeconds(1))
            Thread.Sleep(Poll);
    }

    private static bool IsBeingWritten(string checkpoints) =>
        Directory.Exists(checkpoints) && Directory.EnumerateDirectories(checkpoints, ".step-*").Any();

    private static void AwaitEnd(int process, Task job)
    {
        while (!job.IsCompleted && IsAlive(process))
            Thread.Sleep(Poll);
    }

    // A killed process stays in the table, as Z, until mpirun has looked at it.
    private static bool IsAlive(int process)
    {
        try
        {
            string status = File.ReadAllText($"/proc/{process}/stat");
            return status[status.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>
    /// The first damage of a checkpoint whose marker says that it is whole; null: none. The next attempt takes seconds to start.
    /// </summary>
    private string? Lie(string checkpoints)
    {
        foreach (var entry in CheckpointCatalog.List(checkpoints))
        {
            if (!File.Exists(Path.Combine(entry.Folder, CheckpointCatalog.MarkerFile)))
                continue;
            _verified++;
            try
            {
                if (CheckpointReader.Open(entry.Folder).Verify() is [var damage, ..])
                    return damage;
            }
            catch (CheckpointException damage)
            {
                return damage.Message;
            }
        }
        return null;
    }
}

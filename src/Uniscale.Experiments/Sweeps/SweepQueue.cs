using System.Globalization;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Launching.Slurm;

namespace Uniscale.Experiments.Sweeps;

/// <summary>A run that a task of a job array works on, or waits to.</summary>
/// <param name="Run">Its index.</param>
/// <param name="Task">The task, as Slurm names it: number of the array, underscore, number in it.</param>
public sealed record QueuedRun(int Run, string Task);

/// <summary>
/// A sweep whose runs are tasks of Slurm's job arrays. What is queued stands in a file of the sweep's directory; every task, at its end,
/// takes itself out and queues the runs
/// that can go on now, under a lock, so that no process of its own has to watch. What was killed with its task is found by asking Slurm,
/// and queued by the same command again.
/// </summary>
/// <param name="plan">The sweep.</param>
/// <param name="runner">Looks at the runs' curves.</param>
/// <param name="slurm">Slurm's commands.</param>
/// <param name="say">Takes sentences for the user.</param>
public sealed class SweepQueue(SweepPlan plan, SweepRunner runner, ISlurmQueue slurm, Action<string> say)
{
    private const string QueueFile = "queue.json",
        LockFile = "queue.lock",
        ScriptFile = "sweep.sbatch";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Queues all runs that can go on and have no task.</summary>
    /// <param name="command">The command of a task.</param>
    /// <param name="options">Options of sbatch.</param>
    /// <param name="sideBySide">Most tasks of an array that run at once; null: as many as Slurm has room for.</param>
    /// <param name="ended">The task that asks, and is at its end; null: a user does.</param>
    /// <returns>Whether the sweep is at its end: nothing is queued and nothing can go on.</returns>
    /// <exception cref="UserErrorException">sbatch refuses the array, with its words.</exception>
    public bool Advance(IReadOnlyList<string> command, IReadOnlyList<string> options, int? sideBySide, string? ended)
    {
        Directory.CreateDirectory(plan.Directory);
        using var held = Hold();
        var queued = Read();
        var alive = slurm.LiveTasks();
        // Where Slurm does not answer, nothing is queued twice.
        queued.RemoveAll(entry => entry.Task == ended || (alive is not null && !alive.Contains(entry.Task)));
        int[] needed = [.. runner.Needed().Where(run => queued.TrueForAll(entry => entry.Run != run))];
        if (needed.Length > 0)
        {
            string script = Path.Combine(plan.Directory, ScriptFile);
            File.WriteAllText(script, Script(command));
            string job = slurm.Submit([
                .. options,
                $"--array={string.Join(',', needed.Select(run => (run + 1).ToString(CultureInfo.InvariantCulture)))}{(sideBySide is { } most ? $"%{most}" : "")}",
                script,
            ]);
            queued.AddRange(needed.Select(run => new QueuedRun(run, $"{job}_{run + 1}")));
            say(
                $"{needed.Length} {(needed.Length == 1 ? "run is" : "runs are")} queued as job {job}: {string.Join(", ", needed.Take(8).Select(SweepRun.NameOf))}{(needed.Length > 8 ? $" and {needed.Length - 8} more" : "")}."
            );
        }
        File.WriteAllText(Path.Combine(plan.Directory, QueueFile) + ".tmp", JsonSerializer.Serialize(queued));
        File.Move(Path.Combine(plan.Directory, QueueFile) + ".tmp", Path.Combine(plan.Directory, QueueFile), overwrite: true);
        return queued.Count == 0;
    }

    /// <summary>The script that each task runs.</summary>
    public static string Script(IReadOnlyList<string> command) =>
        $"#!/usr/bin/env bash\n# Written by `uniscale sweep --submit slurm`; each task takes the run of its number further.\nexec {string.Join(' ', command.Select(Quoted))}\n";

    /// <summary>Options of sbatch for the tasks of a sweep; those of the sweep's file come last, and count.</summary>
    public static IReadOnlyList<string> Options(SweepPlan plan, string directory)
    {
        var sweep = plan.Sweep;
        int tasks = sweep.Processes ? sweep.Ranks : 1,
            cores = sweep.Processes ? sweep.Threads : sweep.Ranks * sweep.Threads;
        return
        [
            $"--job-name={sweep.Name}",
            $"--chdir={directory}",
            $"--output={Path.Combine(plan.Directory, "task-%a.log")}",
            "--open-mode=append",
            "--requeue",
            "--signal=B:USR1@120",
            string.Create(CultureInfo.InvariantCulture, $"--ntasks={tasks}"),
            string.Create(CultureInfo.InvariantCulture, $"--cpus-per-task={cores}"),
            .. sweep.Slurm,
        ];
    }

    private static string Quoted(string word) =>
        word.All(letter => char.IsAsciiLetterOrDigit(letter) || "/._-=+,:@%".Contains(letter, StringComparison.Ordinal))
            ? word
            : $"'{word.Replace("'", @"'\''", StringComparison.Ordinal)}'";

    private List<QueuedRun> Read()
    {
        string path = Path.Combine(plan.Directory, QueueFile);
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<List<QueuedRun>>(File.ReadAllText(path)) ?? [] : [];
        }
        catch (JsonException)
        {
            throw new UserErrorException($"{path} is not what a sweep has written: cancel the sweep's jobs, and remove it.");
        }
    }

    private FileStream Hold()
    {
        string path = Path.Combine(plan.Directory, LockFile);
        for (var begin = DateTime.UtcNow; ;)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (DateTime.UtcNow - begin < Patience)
            {
                Thread.Sleep(200);
            }
        }
    }
}

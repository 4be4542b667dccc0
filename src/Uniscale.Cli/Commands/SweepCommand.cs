using System.CommandLine;
using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Experiments.Sweeps;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Slurm;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale sweep</c>: many runs of one base configuration, ranked.</summary>
internal static class SweepCommand
{
    private const string Slurm = "slurm";

    private static readonly Argument<string> File = new("SWEEP") { Description = "Sweep file (YAML), for example configs/sweep.yaml." };

    private static readonly Option<int?> Jobs = new("--jobs")
    {
        Description = "Runs side by side; default: as many as cores, devices or hosts hold.",
    };

    private static readonly Option<string?> Submit = new("--submit")
    {
        Description =
            "Queue the runs as a job array of a batch system (slurm) and return; the same command again queues what was cancelled, and prints the table at the end.",
        HelpName = Slurm,
    };

    /// <summary>How a task of a job array is told from the command that queues it.</summary>
    private static readonly Option<bool> Task = new("--task") { Hidden = true };

    private static readonly Option<bool> DryRun = new("--dry-run")
    {
        Description = "Print the runs, and where they would go, and start nothing.",
    };

    private static readonly Option<bool> Json = CommonOptions.Json();

    public static Command Create()
    {
        var command = new Command(
            "sweep",
            "Train many runs of one base configuration (grid, random or listed values), several side by side, and rank them. Killed, the same command goes on."
        )
        {
            File,
            Jobs,
            Submit,
            Task,
            DryRun,
            Json,
        };
        command.SetAction(parsed =>
        {
            var plan = SweepPlan.Load(parsed.GetValue(File)!);
            if (parsed.GetValue(Task))
                return RunTask(parsed, plan);
            if (parsed.GetValue(Submit) is not { } system)
                return Sweep(parsed, plan);
            if (system != Slurm)
                throw new UserErrorException($"--submit {system} is no batch system: give {Slurm}.");
            return Queue(parsed, plan);
        });
        return command;
    }

    private static int Sweep(ParseResult parsed, SweepPlan plan)
    {
        var output = parsed.InvocationConfiguration.Output;
        var places = SweepPlaces.Of(plan, parsed.GetValue(Jobs));
        if (parsed.GetValue(DryRun))
        {
            Print(plan, output);
            output.WriteLine($"{plan.Runs.Count} runs, {places.Count} side by side, in {plan.Directory}");
            foreach (var place in places.Where(place => place.Title.Length > 0))
                output.WriteLine($"  {place.Title}");
            return 0;
        }
        var runner = new SweepRunner(plan, places, parsed.InvocationConfiguration.Error.WriteLine);
        if (runner.Run() is not { } table)
        {
            output.WriteLine("The sweep was stopped; the same command goes on.");
            return 0;
        }
        return Finish(parsed, plan, runner, table, output);
    }

    /// <summary>Queues what can go on, and prints the table where nothing can.</summary>
    private static int Queue(ParseResult parsed, SweepPlan plan)
    {
        var output = parsed.InvocationConfiguration.Output;
        int? jobs = parsed.GetValue(Jobs);
        if (jobs < 1)
            throw new UserErrorException($"--jobs {jobs} is not a number of runs: give 1 or more.");
        var options = SweepQueue.Options(plan, Directory.GetCurrentDirectory());
        if (parsed.GetValue(DryRun))
        {
            Print(plan, output);
            output.WriteLine($"sbatch {string.Join(' ', options)} --array=1-{plan.Runs.Count}{(jobs is { } most ? $"%{most}" : "")}");
            output.Write(SweepQueue.Script(TaskCommand(parsed)));
            return 0;
        }
        var runner = new SweepRunner(plan, [new SweepPlace([], null)], output.WriteLine);
        runner.Prepare();
        bool isDone = new SweepQueue(plan, runner, new SlurmQueue(), output.WriteLine).Advance(
            TaskCommand(parsed),
            options,
            jobs,
            ended: null
        );
        if (isDone)
            return Finish(parsed, plan, runner, runner.Table(), output);
        output.WriteLine(
            $"The runs are in {plan.Directory}; the same command again tells how far they are, and prints the table when all are done."
        );
        output.Write(runner.Table().ToText());
        return 0;
    }

    /// <summary>
    /// One task of a job array: takes the run of its number as far as the stopping rule lets it, and then queues those that can go on.
    /// </summary>
    private static int RunTask(ParseResult parsed, SweepPlan plan)
    {
        var say = parsed.InvocationConfiguration.Output;
        string task =
            SlurmQueue.Task
            ?? throw new UserErrorException(
                $"{Task.Name} is for the tasks of `uniscale sweep SWEEP --submit {Slurm}`: give {Submit.Name}."
            );
        if (
            !int.TryParse(task.Split('_')[1], NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            || number < 1
            || number > plan.Runs.Count
        )
            throw new UserErrorException(
                $"Task {task} has no run in this sweep of {plan.Runs.Count}: the sweep has changed since it was queued; queue it again."
            );
        var runner = new SweepRunner(plan, [new SweepPlace([], null)], say.WriteLine, only: number - 1);
        if (runner.Run() is null)
        {
            // Of a job that was cancelled or queued again Slurm says that it is completing.
            if (SlurmJob.Current is not { IsRunning: true } job)
                return 0;
            say.WriteLine($"Task {task} goes back into the queue.");
            return job.Requeue() ? 0 : 1;
        }
        if (
            new SweepQueue(plan, runner, new SlurmQueue(), say.WriteLine).Advance(
                TaskCommand(parsed),
                SweepQueue.Options(plan, Directory.GetCurrentDirectory()),
                parsed.GetValue(Jobs),
                task
            )
        )
            Finish(parsed, plan, runner, runner.Table(), say);
        return 0;
    }

    private static IReadOnlyList<string> TaskCommand(ParseResult parsed) =>
        [
            .. MpiLauncher.ThisExecutable(),
            "sweep",
            Path.GetFullPath(parsed.GetValue(File)!),
            Task.Name,
            .. parsed.GetValue(Jobs) is { } jobs ? (string[])[Jobs.Name, jobs.ToString(CultureInfo.InvariantCulture)] : [],
        ];

    private static void Print(SweepPlan plan, TextWriter output)
    {
        foreach (var run in plan.Runs)
            output.WriteLine($"{run.Name}  {run.Title}{(run.Refusal is { } refusal ? $"  (cannot be: {refusal})" : "")}");
    }

    private static int Finish(ParseResult parsed, SweepPlan plan, SweepRunner runner, SweepTable table, TextWriter output)
    {
        Write(plan, "table.csv", table.ToCsv());
        Write(plan, "table.json", table.ToJson());
        Write(plan, "sweep.html", new SweepHtml(table, runner.Curves).ToHtml());
        output.Write(
            parsed.GetValue(Json)
                ? table.ToJson() + "\n"
                : table.ToText() + $"table.csv, table.json and sweep.html (to look at) are in {plan.Directory}\n"
        );
        return table.Rows.All(row => row.Status == RowStatus.Failed) ? 1 : 0;
    }

    private static void Write(SweepPlan plan, string name, string text) =>
        System.IO.File.WriteAllText(Path.Combine(plan.Directory, name), text);
}

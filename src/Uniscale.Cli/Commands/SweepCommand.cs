using System.CommandLine;
using Uniscale.Configuration;
using Uniscale.Experiments.Sweeps;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale sweep</c>: many runs of one base configuration, ranked.</summary>
internal static class SweepCommand
{
    private static readonly Argument<string> File = new("SWEEP") { Description = "Sweep file (YAML), for example configs/sweep.yaml." };

    private static readonly Option<int> Jobs = new("--jobs") { Description = "Runs side by side; default: as many as the cores hold." };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Print the runs and start nothing." };

    private static readonly Option<bool> Json = CommonOptions.Json();

    public static Command Create()
    {
        var command = new Command("sweep", "Train many runs of one base configuration (grid, random or listed values), several side by side, and rank them. Killed, the same command goes on.")
        {
            File, Jobs, DryRun, Json,
        };
        command.SetAction(Sweep);
        return command;
    }

    private static int Sweep(ParseResult parsed)
    {
        var plan = SweepPlan.Load(parsed.GetValue(File)!);
        var output = parsed.InvocationConfiguration.Output;
        int jobs = JobsOf(plan.Sweep, parsed.GetValue(Jobs), parsed.GetResult(Jobs)?.Implicit == false);
        if (parsed.GetValue(DryRun))
        {
            foreach (var run in plan.Runs) output.WriteLine($"{run.Name}  {run.Title}{(run.Refusal is { } refusal ? $"  (cannot be: {refusal})" : "")}");
            output.WriteLine($"{plan.Runs.Count} runs, {jobs} side by side, in {plan.Directory}");
            return 0;
        }
        var runner = new SweepRunner(plan, jobs, parsed.InvocationConfiguration.Error.WriteLine);
        if (runner.Run() is not { } table)
        {
            output.WriteLine("The sweep was stopped; the same command goes on.");
            return 0;
        }
        Write(plan, "table.csv", table.ToCsv());
        Write(plan, "table.json", table.ToJson());
        Write(plan, "sweep.html", new SweepHtml(table, runner.Curves).ToHtml());
        output.Write(parsed.GetValue(Json) ? table.ToJson() + "\n" : table.ToText() + $"table.csv, table.json and sweep.html (to look at) are in {plan.Directory}\n");
        return table.Rows.All(row => row.Status == RowStatus.Failed) ? 1 : 0;
    }

    private static void Write(SweepPlan plan, string name, string text) => System.IO.File.WriteAllText(Path.Combine(plan.Directory, name), text);

    private static int JobsOf(SweepConfiguration sweep, int asked, bool isGiven)
    {
        if (isGiven && asked < 1) throw new UserErrorException($"--jobs {asked} is not a number of runs: give 1 or more.");
        if (isGiven) return asked;
        int cores = sweep.Cores > 0 ? sweep.Cores : Environment.ProcessorCount, needed = sweep.Ranks * sweep.Threads;
        if (needed > cores)
            throw new UserErrorException($"A run of {sweep.Ranks} ranks with {sweep.Threads} threads needs {needed} cores, but there are {cores}: lower ranks or threads, raise cores, or give --jobs.");
        return cores / needed;
    }
}

using System.CommandLine;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Cli.Curricula;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Data;
using Uniscale.Telemetry;
using Uniscale.Training.Curricula;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Commands;

/// <summary>
/// <c>uniscale curriculum plan|show|fork|audit</c>: the whole run before it runs, any place in it, another way on from a phase, and what
/// was really fed.
/// </summary>
internal static class CurriculumCommand
{
    public static Command Create() =>
        new("curriculum", "Plan a run's phases and data, look at any position, fork a run at a phase, audit what a run was fed.")
        {
            Plan(),
            Show(),
            Fork(),
            Audit(),
        };

    private static Command Plan()
    {
        var command = new Command(
            "plan",
            "The whole run as a table and a picture: phases, batches, learning rate, tokens and epochs of each source. Refuses what cannot be."
        );
        var configuration = new ConfigurationInput(command);
        command.SetAction(parsed =>
        {
            var config = configuration.Load(parsed).Value;
            using var curriculum = Curriculum.FromConfiguration(config);
            curriculum.CheckBeginning(config);
            new PlanView(config, curriculum, parsed.InvocationConfiguration.Output).Print();
            return 0;
        });
        return command;
    }

    private static Command Show()
    {
        var at = new Option<string>("--at") { Description = "Position in tokens, e.g. 812B.", Required = true };
        var samples = new Option<int>("--samples") { Description = "Sequences of the step to list.", DefaultValueFactory = _ => 8 };
        var text = new Option<bool>("--text") { Description = "Print the beginning of each sequence, by data.tokenizer." };
        var run = new Option<string?>("--run")
        {
            Description = "Directory of a run: the ledger also says what of the data its newest checkpoint has not in its weights.",
        };
        var command = new Command(
            "show",
            "What exactly is trained on at a position: the step, its sources, documents and places, and what was fed before."
        )
        {
            at,
            samples,
            text,
            run,
        };
        var configuration = new ConfigurationInput(command);
        command.SetAction(parsed =>
        {
            var config = configuration.Load(parsed).Value;
            using var curriculum = Curriculum.FromConfiguration(config);
            long position = Quantity.ParseTokens(parsed.GetValue(at)!, "--at");
            if (position >= curriculum.TotalTokens)
                throw new UserErrorException(
                    $"--at {parsed.GetValue(at)} lies beyond the run, which ends with {TokenText.Of(curriculum.TotalTokens)} tokens."
                );
            using var tokenizer = parsed.GetValue(text)
                ? Tokenizer.Load(config.Data.Tokenizer ?? throw new UserErrorException("--text needs data.tokenizer."))
                : null;
            new PositionView(config, curriculum, tokenizer, DiscardedOf(parsed.GetValue(run))).Print(
                position,
                parsed.GetValue(samples),
                parsed.InvocationConfiguration.Output
            );
            return 0;
        });
        return command;
    }

    private static IReadOnlyList<DiscardedSpan> DiscardedOf(string? run)
    {
        if (run is null)
            return [];
        var newest =
            CheckpointCatalog.List(CheckpointInput.DirectoryOf(run)).FirstOrDefault(entry => entry.Manifest is not null)
            ?? throw new UserErrorException($"{run} has no good checkpoint; give the directory of a run that has saved one.");
        return DiscardedSpan.Read(newest.Manifest!.Extra);
    }

    private static Command Fork()
    {
        var run = new Argument<string>("RUN") { Description = "Directory of the run to fork." };
        var phase = new Option<int>("--phase") { Description = "The phase to start again, from 1.", Required = true };
        var output = new Option<string?>("--out") { Description = "Directory of the new run; default: RUN-fork-PHASE." };
        var set = new Option<string[]>("--set")
        {
            Description = "Change a setting, e.g. phases[2].lr=2e-5 (may be given again).",
            HelpName = "key=value",
            DefaultValueFactory = _ => [],
        };
        var command = new Command(
            "fork",
            "Start again from where a phase began, with other settings; what was fed until then is kept in the ledger and not drawn again."
        )
        {
            run,
            phase,
            output,
            set,
        };
        command.SetAction(parsed =>
        {
            string directory = parsed.GetValue(run)!.TrimEnd(Path.DirectorySeparatorChar);
            var fork = RunFork.Prepare(
                directory,
                parsed.GetValue(phase),
                parsed.GetValue(output) ?? $"{directory}-fork-{parsed.GetValue(phase)}",
                parsed.GetValue(set)!
            );
            fork.Write();
            var console = parsed.InvocationConfiguration.Output;
            console.WriteLine(
                $"{fork.Directory} continues {directory} from step {fork.Step}, {TokenText.Of(fork.ConsumedTokens)} tokens, where phase {parsed.GetValue(phase)} begins."
            );
            console.WriteLine($"Train it with: uniscale train {Path.Combine(fork.Directory, RunFork.ConfigurationName)} --resume");
            return 0;
        });
        return command;
    }

    /// <summary>What the model scored at the end of each phase and between, task by task.</summary>
    private static void PrintScores(string run, TextWriter output)
    {
        var scores = TaskScore.Read(Path.Combine(run, TelemetryFactory.MetricsFileName)).Where(score => !score.IsPart).ToList();
        if (scores.Count == 0)
            return;
        output.WriteLine($"{"phase",-16} {"task",-20} {"step",10} {"tokens",8}  score");
        foreach (var score in scores.OrderBy(score => score.Step))
            output.WriteLine(
                $"{score.Phase,-16} {score.Task,-20} {score.Step,10} {TokenText.Of(score.ConsumedTokens),8}  {score} ({score.Method})"
            );
    }

    private static Command Audit()
    {
        var run = new Argument<string>("RUN") { Description = "Directory of a run." };
        var before = new Option<string?>("--continues")
        {
            Description = "The run that RUN was forked from: what it was fed until the fork counts too.",
            HelpName = "RUN",
        };
        var like = new Option<string[]>("--like")
        {
            Description = "A run that must have been fed the same at every step that both have done (may be given again).",
            HelpName = "RUN",
            DefaultValueFactory = _ => [],
        };
        var command = new Command(
            "audit",
            "Read again what a run was fed: digests of all steps, shares against the mixture, the ledger, and that nothing was fed twice."
        )
        {
            run,
            before,
            like,
        };
        command.SetAction(parsed =>
        {
            var console = parsed.InvocationConfiguration.Output;
            string directory = parsed.GetValue(run)!;
            var steps = FedStep.Read(directory);
            foreach (string other in parsed.GetValue(like)!)
                console.WriteLine($"{FedStep.CountAgreeing(steps, directory, other)} steps of {directory} and {other} were fed the same.");
            using var audit = new RunAudit(directory);
            if (audit.CheckShards() is > 0 and var recorded)
                console.WriteLine($"{recorded} shards are what was tokenized, every byte.");
            if (parsed.GetValue(before) is { } original)
                audit.Add(original, FedStep.Read(original).Where(step => step.StartTokens < steps[0].StartTokens));
            audit.Add(directory, steps);
            console.WriteLine($"{audit.StepCount} steps were fed what the data holds where the curriculum says: all digests agree.");
            audit.Print(console);
            PrintScores(directory, console);
            return 0;
        });
        return command;
    }
}

using System.CommandLine;
using Uniscale.Alignment.Rounds;
using Uniscale.Configuration;
using Uniscale.Corpus.Chat;
using Uniscale.Data;
using Uniscale.Launching.Ranks;
using Uniscale.Training.Runs;
using Uniscale.Training.Validation;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale align</c>: training on answers that the model draws itself, and what else belongs to preferences.</summary>
internal static class AlignCommand
{
    public static Command Create()
    {
        var command = new Command(
            "align",
            "Train a model on answers that it draws itself and that are rewarded; or judge answers by a model of preferences."
        );
        TrainCommand.AddTo(
            command,
            (parsed, input, resolved, start) =>
            {
                if (!resolved.Value.Objective.DrawsAnswers())
                    throw new UserErrorException(
                        $"objective is {resolved.Value.Objective.ToString().ToLowerInvariant()}, which learns from data that is there: start it with `uniscale train`."
                    );
                return resolved.Value.Rounds.Count == 0 ? null : DoRounds(parsed, input, resolved.Value, start);
            }
        );
        command.Add(Score());
        return command;
    }

    /// <summary>Rounds of reward model and policy.</summary>
    private static int DoRounds(
        ParseResult parsed,
        ConfigurationInput input,
        RunConfiguration configuration,
        TrainCommand.StartOptions start
    )
    {
        if (start.OfOneRun is { } option)
            throw new UserErrorException($"{option} is for a single run, and rounds.count is {configuration.Rounds.Count}: take it out.");
        if (RankEnvironment.Detect().IsLaunched)
            throw new UserErrorException(
                "Rounds start their runs themselves: call `uniscale align` once, without a launcher, and set rounds.processes to true for ranks that are processes."
            );
        if (start.Ranks < 1)
            throw new UserErrorException($"--ranks {start.Ranks} is not a number of ranks: give 1 or more.");
        string directory = new RunFolder(configuration).FullPath;
        var output = parsed.InvocationConfiguration.Output;
        var runner = new RoundRunner(more => input.Load(parsed, more), directory, start.Ranks ?? 0, output.WriteLine);
        if (runner.Run(start.Resume) is not { } rounds)
        {
            output.WriteLine("The rounds were stopped; the same command with --resume goes on.");
            return 0;
        }
        output.Write(RoundReport.Table(rounds));
        output.WriteLine($"All rounds are done; they are in {directory}.");
        return 0;
    }

    private static Command Score()
    {
        var run = new Argument<string>("RUN") { Description = "Folder of a run with objective reward or dpo, or one of its checkpoints." };
        var data = new Option<string[]>("--data")
        {
            Description = "Comparisons: JSON lines or arrays of prompt, chosen, rejected (or ranked), each with its domain.",
            Required = true,
            HelpName = "FILE",
        };
        var command = new Command("score", "Accuracy, confidence and mean scores of comparisons, by domain.")
        {
            run,
            data,
            ChatCommand.Template,
            ChatCommand.Conditions,
            ChatCommand.RewardToken,
            ChatCommand.Domain,
        };
        command.SetAction(parsed =>
        {
            string path = parsed.GetValue(run)!;
            var checkpoint = CheckpointInput.Open(path, step: null);
            var configuration = CheckpointInput.ConfigurationOf(checkpoint);
            if (!configuration.ComparesAnswers)
                throw new UserErrorException(
                    $"The run of {path} has objective {configuration.Objective.ToString().ToLowerInvariant()}, which compares no answers: name a run with objective reward or dpo."
                );
            string model =
                configuration.Data.Tokenizer
                ?? throw new UserErrorException(
                    $"The run of {path} names no tokenizer (data.tokenizer), so texts cannot be turned into its tokens."
                );
            using var tokenizer = Tokenizer.Load(
                RunTokenizer.Find(path, model) ?? throw new UserErrorException($"The tokenizer {model} of the run is not there.")
            );
            var options = ChatCommand.OptionsOf(parsed, "preference", configuration.Model.Context) with
            {
                Remedy = "check the files of --data",
            };
            options.Check();
            var folder = Directory.CreateTempSubdirectory("uniscale-score-");
            try
            {
                var reports = Pack(parsed.GetValue(data)!, options, tokenizer, folder.FullName);
                var sources = reports
                    .Where(report => report.Value.Samples > 0)
                    .Select(report => new SourceSection
                    {
                        Name = report.Key,
                        Domain = report.Key,
                        Shards = [Path.Combine(folder.FullName, $"{report.Key}.train")],
                    })
                    .ToList();
                Tell(
                    parsed.InvocationConfiguration.Output,
                    new PreferenceScorer(checkpoint, configuration).Score(sources, tokenizer.Size),
                    reports
                );
            }
            finally
            {
                folder.Delete(recursive: true);
            }
            return 0;
        });
        return command;
    }

    private static IReadOnlyDictionary<string, ChatReport> Pack(string[] files, ChatOptions options, Tokenizer tokenizer, string folder)
    {
        using var store = new ChatStore(folder, options, tokenizer);
        foreach (var sample in new ChatReader(options, new ChatTokenizer(options.Template, tokenizer)).Read(files))
            store.Add(sample);
        store.Complete();
        return store.Reports;
    }

    private static void Tell(TextWriter console, IReadOnlyList<ValidationResult> results, IReadOnlyDictionary<string, ChatReport> reports)
    {
        console.WriteLine($"{"domain",-16}{"comparisons",12}{"accuracy",10}{"confidence",12}{"chosen",9}{"rejected",10}{"loss",9}");
        foreach (var result in results.Count > 1 ? [.. results, ValidationResult.Total([.. results])] : results)
        {
            double Mean(string name) => result.Measures.GetValueOrDefault(name) / Math.Max(1, result.TokenCount);
            console.WriteLine(
                $"{result.Name,-16}{result.TokenCount,12}{Mean("accuracy"),10:0.0%}{Mean("confidence"),12:0.0%}{Mean("reward/chosen"),9:0.000}{Mean("reward/rejected"),10:0.000}{result.Loss,9:0.0000}"
            );
        }
        foreach (var (domain, report) in reports)
            foreach (var (reason, count) in report.LeftOut)
                console.WriteLine($"  {domain}, left out: {count} with {reason}");
    }
}

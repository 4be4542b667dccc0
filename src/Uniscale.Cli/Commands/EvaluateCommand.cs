using System.CommandLine;
using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Exams.Files;
using Uniscale.Evaluation.Requests;
using Uniscale.Evaluation.Results;
using Uniscale.Evaluation.Tasks;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale evaluate</c>: what a model scores in exams, and how well it predicts plain text.</summary>
internal static class EvaluateCommand
{
    private static readonly Argument<string> Run = new("RUN")
    {
        Description = "Directory of a run, of one of its checkpoints, or of a Hugging Face model (Llama, InternLM2, InternLM).",
    };
    private static readonly Option<string> Tasks = new("--tasks")
    {
        Description = $"Comma-separated: {string.Join(", ", ExamFiles.Names.Order())}, needle, perplexity.",
        DefaultValueFactory = _ => "",
    };
    private static readonly Option<string[]> TaskFiles = new("--task-file")
    {
        Description = "A task of one's own: a YAML file (may be given again).",
        HelpName = "FILE",
        DefaultValueFactory = _ => [],
    };
    private static readonly Option<string> Data = new("--data")
    {
        Description = "Folder of the task's files, or one with a folder for each task.",
        DefaultValueFactory = _ => ".",
    };
    private static readonly Option<ExamVariant> Rules = new("--variant")
    {
        Description = "By whose rules: original, harness (lm-evaluation-harness) or opencompass.",
        DefaultValueFactory = _ => ExamVariant.Original,
    };
    private static readonly Option<Scoring?> Scored = new("--scoring")
    {
        Description = "How answers are found, where not as the variant does: letter, option, perplexity or written.",
    };
    private static readonly Option<int> AnswerTokens = new("--answer-tokens")
    {
        Description = "Tokens that the model may write for an answer; 0: as many as the task says.",
    };
    private static readonly Option<int> Samples = new("--samples")
    {
        Description = "Texts that the model writes for each question; 0: as many as the task says.",
    };
    private static readonly Option<double?> Temperature = new("--temperature")
    {
        Description = "Temperature of the texts, where several are written; default: the task's.",
    };
    private static readonly Option<string> PassAt = new("--pass-at")
    {
        Description = "Comma-separated: the probability that one of k texts is right, estimated from all samples.",
        DefaultValueFactory = _ => "",
    };
    private static readonly Option<string?> Split = new("--split")
    {
        Description = "Questions to ask, e.g. val; default: test, or val where the test has no answers.",
    };
    private static readonly Option<int?> Shots = new("--shots")
    {
        Description = "Questions with answers in front; default: the variant's.",
    };
    private static readonly Option<int> Limit = new("--limit") { Description = "Questions of each subject, for trying; 0: all." };
    private static readonly Option<int> Ranks = new("--ranks")
    {
        Description = "Threads that read the model; the figures do not depend on it.",
        DefaultValueFactory = _ => 1,
    };
    private static readonly Option<string?> Out = new("--out")
    {
        Description = "Folder of results, samples and answers; default: evaluation in the run's folder.",
    };
    private static readonly Option<bool> Json = new("--json") { Description = "Print the results file instead of the table." };

    public static Command Create()
    {
        var command = new Command(
            "evaluate",
            "Hold exams with the newest checkpoint of a run. What is answered is kept: an evaluation that was stopped goes on where it was."
        )
        {
            Run,
            Tasks,
            TaskFiles,
            Data,
            Rules,
            Scored,
            Split,
            Shots,
            Limit,
            AnswerTokens,
            Samples,
            Temperature,
            PassAt,
            Ranks,
            Out,
            Json,
        };
        command.Subcommands.Add(Compare());
        command.Subcommands.Add(JudgeCommand.Create());
        command.SetAction(parsed =>
        {
            string run = parsed.GetValue(Run)!,
                data = parsed.GetValue(Data)!;
            int ranks = parsed.GetValue(Ranks);
            if (ranks < 1)
                throw new UserErrorException($"--ranks is {ranks}; give 1 or more.");
            var options = new ExamOptions(parsed.GetValue(Rules), parsed.GetValue(Scored), parsed.GetValue(Shots), parsed.GetValue(Limit))
            {
                AnswerTokens = parsed.GetValue(AnswerTokens),
                Samples = parsed.GetValue(Samples),
                Temperature = parsed.GetValue(Temperature),
                PassAt = Numbers(parsed.GetValue(PassAt)!),
            };
            string[] tasks =
            [
                .. parsed.GetValue(Tasks)!.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Distinct(),
            ];
            string[] files = parsed.GetValue(TaskFiles)!;
            if (tasks.Length + files.Length == 0)
                throw new UserErrorException("--tasks names no task, and there is no --task-file.");
            var read = EvaluationTasks.Read(tasks, files, data, parsed.GetValue(Split), options);
            using var opened = OpenedModel.Open(run);
            string folder = parsed.GetValue(Out) ?? Path.Combine(run, ResultFolder.Name);
            using var answers = new AnswerStore(Path.Combine(folder, "answers.tsv"));
            var evaluator = new Evaluator(
                opened.Model.Shape,
                shape => ReaderThreads.Of(opened.Model, ranks, shape),
                opened.Tokenizer,
                opened.Digest,
                answers
            );
            var output = parsed.InvocationConfiguration.Output;
            Write(output, folder, evaluator.Run(read), run, opened.Digest, parsed.GetValue(Json));
            return 0;
        });
        return command;
    }

    private static int[] Numbers(string text) =>
        [
            .. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .Select(part =>
                    int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                        ? number
                        : throw new UserErrorException($"--pass-at '{part}' is no number: give for example 1,10.")
                ),
        ];

    private static Command Compare()
    {
        var files = new Argument<string[]>("RESULT")
        {
            Description = "Results files (results_….json), the first of which the others are held against.",
            Arity = ArgumentArity.OneOrMore,
        };
        var command = new Command("compare", "Hold results against each other: scores, differences and their standard errors.") { files };
        command.SetAction(parsed =>
        {
            foreach (string line in ResultComparison.Table(parsed.GetValue(files)!))
                parsed.InvocationConfiguration.Output.WriteLine(line);
            return 0;
        });
        return command;
    }

    private static void Write(TextWriter output, string folder, Evaluated evaluated, string run, string digest, bool json)
    {
        var now = DateTimeOffset.UtcNow;
        string date = now.ToString("yyyy-MM-ddTHH-mm-ss.ffffff", CultureInfo.InvariantCulture);
        var (path, results) = ResultFolder.Write(folder, date, evaluated, run, digest, now);
        if (json)
        {
            output.WriteLine(results);
            return;
        }
        foreach (string line in ResultFiles.Table(evaluated))
            output.WriteLine(line);
        output.WriteLine($"Results and samples are in {path}.");
    }
}

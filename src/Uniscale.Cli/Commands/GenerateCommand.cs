using System.CommandLine;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Evaluation.Generation;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale generate</c>: continue texts with what a run has learnt.</summary>
internal static class GenerateCommand
{
    private static readonly Argument<string> Run = new("RUN")
    {
        Description = "Directory of a run, of one of its checkpoints, or of a Hugging Face model (Llama, InternLM2, InternLM).",
    };
    private static readonly Option<string?> Prompt = new("--prompt") { Description = "Text to continue." };
    private static readonly Option<string?> Prompts = new("--prompts")
    {
        Description = "File of JSON lines like {\"prompt\": \"Once upon\"}, each of which is continued; results are JSON lines too.",
    };
    private static readonly Option<int> Batch = new("--batch")
    {
        Description = "Prompts of a file that are continued at a time; the texts do not depend on it.",
        DefaultValueFactory = _ => 32,
    };
    private static readonly Option<int> Tokens = new("--tokens")
    {
        Description = "Tokens to write at most.",
        DefaultValueFactory = _ => 200,
    };
    private static readonly Option<string[]> Stop = new("--stop")
    {
        Description = "Text before which to end; may be given several times.",
        DefaultValueFactory = _ => [],
    };
    private static readonly Option<double> Temperature = new("--temperature")
    {
        Description = "0: always the likeliest token.",
        DefaultValueFactory = _ => 0.8,
    };
    private static readonly Option<int> TopK = new("--top-k") { Description = "Draw from so many likeliest tokens; 0: from all." };
    private static readonly Option<double> TopP = new("--top-p")
    {
        Description = "Draw from the likeliest tokens that sum to this probability.",
        DefaultValueFactory = _ => 0.95,
    };
    private static readonly Option<double> MinP = new("--min-p")
    {
        Description = "Leave out tokens with less than this share of the likeliest one's probability.",
    };
    private static readonly Option<double> RepetitionPenalty = new("--repetition-penalty")
    {
        Description = "Above 1: tokens that were there become less likely.",
        DefaultValueFactory = _ => 1,
    };
    private static readonly Option<long> Seed = new("--seed")
    {
        Description = "The same seed writes the same text.",
        DefaultValueFactory = _ => 1234,
    };

    private static readonly Option<PrecisionKind> Precision = CommonOptions.ReadingPrecision();

    public static Command Create()
    {
        var command = new Command("generate", "Continue texts with the newest checkpoint of a run.")
        {
            Run,
            Prompt,
            Prompts,
            Batch,
            Tokens,
            Stop,
            Temperature,
            TopK,
            TopP,
            MinP,
            RepetitionPenalty,
            Seed,
            Precision,
        };
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var sampling = new SamplingOptions(parsed.GetValue(Temperature), parsed.GetValue(TopP), parsed.GetValue(Seed))
            {
                TopK = parsed.GetValue(TopK),
                MinP = parsed.GetValue(MinP),
                RepetitionPenalty = parsed.GetValue(RepetitionPenalty),
            };
            sampling.Check();
            string? text = parsed.GetValue(Prompt),
                file = parsed.GetValue(Prompts);
            if (text is not null && file is not null)
                throw new UserErrorException("Both --prompt and --prompts are given: give one of them.");
            var prompts = file is null ? null : Evaluation.Generation.Prompt.ReadFile(file);
            int tokens = parsed.GetValue(Tokens);
            string[] stops = parsed.GetValue(Stop)!;
            using var opened = OpenedModel.Open(parsed.GetValue(Run)!, parsed.GetValue(Precision));
            using var model = opened.Model.Reader();
            var generator = new TextGenerator(model, opened.Tokenizer, prompts is null ? 1 : parsed.GetValue(Batch));
            if (prompts is null)
                Write(output, text ?? "", generator.Continue(text ?? "", tokens, sampling, stops));
            else
                WriteLines(output, generator.Continue(prompts, tokens, sampling, stops));
            return 0;
        });
        return command;
    }

    private static void Write(TextWriter output, string prompt, IEnumerable<string> pieces)
    {
        using var piece = pieces.GetEnumerator();
        // The first piece is asked for before anything is written: a mistake is told alone.
        bool more = piece.MoveNext();
        output.Write(prompt);
        for (; more; more = piece.MoveNext())
        {
            output.Write(piece.Current);
            output.Flush();
        }
        output.WriteLine();
    }

    private static void WriteLines(TextWriter output, IEnumerable<(Prompt Prompt, Continuation Result)> results)
    {
        foreach (var (prompt, result) in results)
        {
            output.WriteLine(
                JsonSerializer.Serialize(
                    new
                    {
                        prompt = prompt.Text,
                        text = result.Text,
                        finish_reason = result.Reason switch
                        {
                            FinishReason.Stop => "stop",
                            FinishReason.Length => "length",
                            _ => "context",
                        },
                        tokens = result.Tokens.Count,
                        log_probability = result.LogProbabilities.Sum(),
                    },
                    Readable
                )
            );
            output.Flush();
        }
    }

    private static readonly JsonSerializerOptions Readable = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}

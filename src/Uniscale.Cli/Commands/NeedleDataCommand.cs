using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Needles;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale data needles</c>: texts with needles to train on.</summary>
internal static class NeedleDataCommand
{
    /// <summary>
    /// Texts of full length that the haystack is enough for: what was always hidden among the same words is not found among others.
    /// </summary>
    private const long TextsOfHaystack = 256;

    private static readonly JsonSerializerOptions Line = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var tokenizer = new Option<string>("--tokenizer")
        {
            Description = "SentencePiece model, or tokenizer.json of byte-level BPE, by whose tokens lengths count.",
            Required = true,
        };
        var output = new Option<string>("--out") { Description = "File of JSON lines to write, for `data tokenize`.", Required = true };
        var lengths = new Option<string>("--lengths")
        {
            Description = "Tokens of a document, drawn between two ends: 128..4k; 1k is 1,000.",
            Required = true,
        };
        var count = new Option<int>("--count") { Description = "Documents.", DefaultValueFactory = _ => 1_000 };
        var needles = new Option<int>("--needles")
        {
            Description =
                $"Needles of a document, up to {NeedleDocuments.MostNeedles}: each tells the number of another thing, one that of the needle test, and all are asked for.",
            DefaultValueFactory = _ => 1,
        };
        var data = new Option<string?>("--data")
        {
            Description = "Text to hide needles in: a file, or a folder of .txt, .md and .jsonl files; default: made sentences.",
        };
        var shards = new Option<string[]>("--shards")
        {
            Description = "Shards to take the text from, instead of --data (may be given again).",
            DefaultValueFactory = _ => [],
        };
        var seed = new Option<long>("--seed")
        {
            Description =
                "Keys, depths and texts are functions of it; another one than the test's, or the test asks for keys that were trained on.",
            DefaultValueFactory = _ => 1,
        };
        var command = new Command(
            "needles",
            "Write texts in which a sentence with a random key is hidden and asked for, to mix into a corpus."
        )
        {
            tokenizer,
            output,
            lengths,
            count,
            needles,
            data,
            shards,
            seed,
        };
        command.SetAction(parsed =>
        {
            var ends = NeedleOptions.ParseLengths(parsed.GetValue(lengths)!);
            int documents = parsed.GetValue(count);
            if (documents < 1)
                throw new UserErrorException($"--count is {documents}; give 1 or more.");
            if (parsed.GetValue(seed) == new NeedleOptions { Lengths = [] }.Seed)
                throw new UserErrorException(
                    $"--seed {parsed.GetValue(seed)} is the one that the needle test asks with by default: give another one."
                );
            string? text = parsed.GetValue(data);
            string[] from = parsed.GetValue(shards)!;
            if (text is not null && from.Length > 0)
                throw new UserErrorException("Both --data and --shards are given: give one of them.");
            using var counted = Tokenizer.Load(parsed.GetValue(tokenizer)!);
            var haystack =
                text is not null ? Haystack.Of(text, Perplexity.ReadDocuments(text), counted)
                : from.Length > 0 ? Haystack.OfShards(from, TextsOfHaystack * ends[^1], counted)
                : Haystack.Filler(parsed.GetValue(seed), counted);
            string path = parsed.GetValue(output)!;
            OutputFile.Check(path, "--out");
            File.WriteAllLines(
                path,
                new NeedleDocuments(haystack, counted, parsed.GetValue(needles), parsed.GetValue(seed))
                    .Make(ends[0], ends[^1], documents)
                    .Select(document => JsonSerializer.Serialize(new { text = document }, Line))
            );
            parsed.InvocationConfiguration.Output.WriteLine($"{documents} texts with needles are in {path}.");
            return 0;
        });
        return command;
    }
}

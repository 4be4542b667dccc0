using System.CommandLine;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Corpus;
using Uniscale.Data;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale tokenizer</c>: vocabularies, trained, applied and looked at.</summary>
internal static class TokenizerCommand
{
    public static Command Create() =>
        new("tokenizer", "Train a SentencePiece vocabulary; encode and decode with one or with a tokenizer.json, look at it.")
        {
            Train(),
            Encode(),
            Decode(),
            Inspect(),
        };

    private static Argument<string> Model() =>
        new("MODEL") { Description = "A SentencePiece model, or a tokenizer.json of byte-level BPE." };

    private static Command Train()
    {
        var defaults = new TokenizerTraining();
        var inputs = new Argument<string[]>("DOCUMENTS")
        {
            Description = "Stores, .txt or .jsonl files (.gz, .zst), directories of them.",
            Arity = ArgumentArity.OneOrMore,
        };
        var output = new Option<string>("--out") { Description = "Model file to write.", DefaultValueFactory = _ => "tokenizer.model" };
        var vocabulary = new Option<int>("--vocabulary")
        {
            Description = "Number of tokens.",
            DefaultValueFactory = _ => defaults.VocabularySize,
        };
        var coverage = new Option<double>("--character-coverage")
        {
            Description = "Share of characters with a token of their own.",
            DefaultValueFactory = _ => defaults.CharacterCoverage,
        };
        var sample = new Option<string>("--sample")
        {
            Description = "Bytes of text to train on at most; lines are drawn evenly.",
            DefaultValueFactory = _ => "300M",
        };
        var threads = new Option<int>("--threads") { Description = "Threads.", DefaultValueFactory = _ => defaults.Threads };
        var noBytes = new Option<bool>("--no-byte-fallback") { Description = "Unknown characters become <unk> instead of bytes." };
        var keepDigits = new Option<bool>("--keep-digits") { Description = "Numbers may be tokens; by default each digit is one." };
        var symbols = new Option<string[]>("--symbol")
        {
            Description = "A piece that is never split (may be given again).",
            DefaultValueFactory = _ => [],
        };
        var command = new Command("train", "Train a byte-pair vocabulary on documents.")
        {
            inputs,
            output,
            vocabulary,
            coverage,
            sample,
            threads,
            noBytes,
            keepDigits,
            symbols,
        };
        command.SetAction(parsed =>
        {
            string[] files = [.. DocumentStore.Resolve(parsed.GetValue(inputs)!, "text").SelectMany(domain => domain.Files)];
            string path = parsed.GetValue(output)!;
            long bytes = TokenizerTrainer.Train(
                DocumentReader.ReadAll(files),
                path,
                new TokenizerTraining
                {
                    VocabularySize = parsed.GetValue(vocabulary),
                    CharacterCoverage = parsed.GetValue(coverage),
                    SampleBytes = Quantity.ParseTokens(parsed.GetValue(sample)!, "--sample"),
                    Threads = parsed.GetValue(threads),
                    ByteFallback = !parsed.GetValue(noBytes),
                    SplitDigits = !parsed.GetValue(keepDigits),
                    Symbols = parsed.GetValue(symbols)!,
                }
            );
            using var tokenizer = Tokenizer.Load(path);
            parsed.InvocationConfiguration.Output.WriteLine(
                $"{path}: {tokenizer.Size} tokens, trained on {bytes / 1e6:0.#} MB from {files.Length} file(s)"
            );
            return 0;
        });
        return command;
    }

    private static Command Encode()
    {
        var model = Model();
        var text = new Argument<string?>("TEXT")
        {
            Description = "Text; without it, each line of the standard input.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var pieces = new Option<bool>("--pieces") { Description = "Print pieces instead of numbers." };
        var specials = new Option<bool>("--special-tokens")
        {
            Description =
                "Take what spells a special token of a tokenizer.json for it, as Hugging Face's library does; by default it is text.",
        };
        var command = new Command("encode", "Turn text into tokens.") { model, text, pieces, specials };
        command.SetAction(parsed =>
        {
            using var tokenizer = Tokenizer.Load(parsed.GetValue(model)!);
            foreach (string line in parsed.GetValue(text) is { } given ? [given] : StandardInput())
            {
                int[] tokens = parsed.GetValue(specials) ? tokenizer.EncodeWithSpecials(line) : tokenizer.Encode(line);
                parsed.InvocationConfiguration.Output.WriteLine(
                    parsed.GetValue(pieces)
                        ? string.Join(' ', tokens.Select(token => tokenizer.PieceOf(token).Text))
                        : string.Join(' ', tokens)
                );
            }
            return 0;
        });
        return command;
    }

    private static Command Decode()
    {
        var model = Model();
        var tokens = new Argument<string[]>("TOKENS")
        {
            Description = "Token numbers; without them, each line of the standard input.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new Command("decode", "Turn tokens into text.") { model, tokens };
        command.SetAction(parsed =>
        {
            using var tokenizer = Tokenizer.Load(parsed.GetValue(model)!);
            string[] given = parsed.GetValue(tokens) ?? [];
            foreach (string line in given.Length > 0 ? [string.Join(' ', given)] : StandardInput())
                parsed.InvocationConfiguration.Output.WriteLine(tokenizer.Decode(Numbers(line)));
            return 0;
        });
        return command;
    }

    private static Command Inspect()
    {
        var model = Model();
        var list = new Option<bool>("--list") { Description = "Print every token with its score." };
        var command = new Command("inspect", "Describe a model: size, special tokens, what its tokens are.") { model, list };
        command.SetAction(parsed =>
        {
            using var tokenizer = Tokenizer.Load(parsed.GetValue(model)!);
            var output = parsed.InvocationConfiguration.Output;
            Piece[] pieces = [.. Enumerable.Range(0, tokenizer.Size).Select(tokenizer.PieceOf)];
            if (parsed.GetValue(list))
            {
                for (int id = 0; id < pieces.Length; id++)
                    output.WriteLine($"{id}\t{pieces[id].Text}\t{pieces[id].Score}\t{pieces[id].Kind}");
                return 0;
            }
            output.WriteLine(
                $"{tokenizer.Path}: {tokenizer.Size} tokens, stored in {(tokenizer.Size < 65_500 ? 16 : 32)} bits; fingerprint {tokenizer.Fingerprint}"
            );
            foreach (
                (string name, int id) in (ReadOnlySpan<(string, int)>)
                    [
                        ("unknown", tokenizer.UnknownId),
                        ("begin", tokenizer.BeginId),
                        ("end", tokenizer.EndId),
                        ("padding", tokenizer.PaddingId),
                    ]
            )
                output.WriteLine($"  {name,-8} {(id < 0 ? "none" : $"{id} {pieces[id].Text}")}");
            foreach (var kind in pieces.GroupBy(piece => piece.Kind))
                output.WriteLine($"  {kind.Count(),6} {kind.Key.ToString().ToLowerInvariant()}");
            output.WriteLine(
                $"  {pieces.Count(piece => piece.Text.Any(c => c is >= '\u3400' and <= '\u9fff')),6} hold Chinese characters"
            );
            output.WriteLine(
                $"  longest: {string.Join("  ", pieces.OrderByDescending(piece => piece.Text.Length).Take(5).Select(piece => piece.Text))}"
            );
            return 0;
        });
        return command;
    }

    private static int[] Numbers(string line) =>
        [
            .. line.Split((char[])[' ', ',', '\t', '[', ']'], StringSplitOptions.RemoveEmptyEntries)
                .Select(word =>
                    int.TryParse(word, out int token)
                        ? token
                        : throw new UserErrorException($"'{word}' is no token number; give numbers such as 17 204 9.")
                ),
        ];

    private static IEnumerable<string> StandardInput()
    {
        while (Console.In.ReadLine() is { } line)
            yield return line;
    }
}

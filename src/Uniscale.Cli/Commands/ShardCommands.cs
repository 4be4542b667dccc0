using System.CommandLine;
using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale data inspect|verify|show</c>: what is in a shard, whether it is whole, and how it reads.</summary>
internal static class ShardCommands
{
    private static Argument<string[]> Shards() =>
        new("SHARD")
        {
            Description = "Shards: prefixes, .bin or .idx files, patterns, or folders of shards.",
            Arity = ArgumentArity.OneOrMore,
        };

    public static Command Inspect()
    {
        var shards = Shards();
        var command = new Command(
            "inspect",
            "Count tokens and documents of shards; a shard that is not what was tokenized is refused, as far as its fingerprint sees."
        )
        {
            shards,
        };
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            long tokens = 0,
                documents = 0;
            foreach (var shard in Open(parsed.GetValue(shards)!))
            {
                using (shard)
                {
                    shard.CheckRecorded(whole: false);
                    output.WriteLine(
                        $"{shard.Prefix}: {shard.TokenCount} tokens ({shard.Type}) in {shard.DocumentCount} documents, {shard.TokenCount / (double)Math.Max(1, shard.DocumentCount):0.#} a document{(shard.Marks is { } packs ? $", {packs.Kind.ToString().ToLowerInvariant()} in packs of {packs.PackTokens}" : "")}; fingerprint {shard.Fingerprint}"
                    );
                    (tokens, documents) = (tokens + shard.TokenCount, documents + shard.DocumentCount);
                }
            }
            output.WriteLine($"together {tokens} tokens in {documents} documents");
            return 0;
        });
        return command;
    }

    public static Command Verify()
    {
        var shards = Shards();
        var model = new Option<string?>("--tokenizer") { Description = "Also check that every token is in this vocabulary." };
        var command = new Command(
            "verify",
            "Read every byte of shards: both files agree, and are what was tokenized where digests lie beside them."
        )
        {
            shards,
            model,
        };
        command.SetAction(parsed =>
        {
            int vocabulary = int.MaxValue;
            if (parsed.GetValue(model) is { } path)
            {
                using var tokenizer = Tokenizer.Load(path);
                vocabulary = tokenizer.Size;
            }
            foreach (var shard in Open(parsed.GetValue(shards)!))
                using (shard)
                    parsed.InvocationConfiguration.Output.WriteLine(
                        $"{shard.Prefix}: whole, digest {shard.Verify(vocabulary)}{(shard.IsRecorded ? ", as it was tokenized" : "; no digest lies beside it to compare with")}"
                    );
            return 0;
        });
        return command;
    }

    public static Command Show()
    {
        var shard = new Argument<string>("SHARD") { Description = "A shard: prefix, .bin or .idx file." };
        var model = new Option<string?>("--tokenizer") { Description = "Print text, by this model; without it, token numbers." };
        var document = new Option<long?>("--document") { Description = "Which document, from 0." };
        var at = new Option<long?>("--at") { Description = "Or: from which token on." };
        var count = new Option<int>("--tokens") { Description = "How many tokens at most.", DefaultValueFactory = _ => 256 };
        var command = new Command("show", "Print a document, or the tokens from a position on.") { shard, model, document, at, count };
        command.SetAction(parsed =>
        {
            using var opened = TokenShard.Open(parsed.GetValue(shard)!);
            if (parsed.GetValue(count) < 1)
                throw new UserErrorException($"--tokens {parsed.GetValue(count)} shows nothing: give 1 or more.");
            if (parsed.GetValue(at) is null && IsEmpty(opened, parsed.GetValue(document) ?? 0))
            {
                parsed.InvocationConfiguration.Output.WriteLine(
                    $"# {opened.Prefix}, document {parsed.GetValue(document) ?? 0} of {opened.DocumentCount} is empty"
                );
                return 0;
            }
            long first = parsed.GetValue(at) ?? StartOf(opened, parsed.GetValue(document) ?? 0);
            if (first < 0 || first >= opened.TokenCount)
                throw new UserErrorException($"Token {first} is not one of the {opened.TokenCount} of {opened.Prefix}.");
            long number = opened.DocumentAt(first);
            long end = parsed.GetValue(at) is null ? opened.DocumentStart(number + 1) : opened.TokenCount;
            int[] tokens = new int[Math.Min(parsed.GetValue(count), end - first)];
            opened.Read(first, tokens);
            var output = parsed.InvocationConfiguration.Output;
            output.WriteLine(
                $"# {opened.Prefix}, document {number} of {opened.DocumentCount}, tokens {first} to {first + tokens.Length - 1}"
            );
            if (parsed.GetValue(model) is not { } path)
            {
                output.WriteLine(string.Join(' ', tokens));
                return 0;
            }
            using var tokenizer = Tokenizer.Load(path);
            if (opened.Marks is not { } packs)
            {
                output.WriteLine(tokenizer.Decode(tokens));
                return 0;
            }
            var marks = new TokenMarks[tokens.Length];
            packs.Read(first, marks);
            output.WriteLine(MarkedText.Of(tokens, marks, tokenizer, output));
            return 0;
        });
        return command;
    }

    private static bool IsEmpty(TokenShard shard, long document) => StartOf(shard, document) == shard.DocumentStart(document + 1);

    private static long StartOf(TokenShard shard, long document) =>
        document >= 0 && document < shard.DocumentCount
            ? shard.DocumentStart(document)
            : throw new UserErrorException($"Document {document} is not one of the {shard.DocumentCount} of {shard.Prefix}.");

    private static IEnumerable<TokenShard> Open(string[] patterns) => ShardPaths.Find(patterns).Select(TokenShard.Open);
}

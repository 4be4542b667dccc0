using System.CommandLine;
using Uniscale.Cli.Corpora;
using Uniscale.Configuration;
using Uniscale.Corpus;
using Uniscale.Corpus.Chat;
using Uniscale.Data;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale data chat</c>: chats and comparisons to packs of tokens that know what is learned.</summary>
internal static class ChatCommand
{
    private const int ShownSamples = 3;

    private static readonly Argument<string[]> Files = new("FILES")
    {
        Description = "JSON lines or JSON arrays, plain or compressed, folders of them, and s3://bucket/prefix.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string> Format = new("--format")
    {
        Description = $"Form of the records: {string.Join(", ", ChatOptions.Formats)}.",
        Required = true,
    };

    private static readonly Option<string?> Output = new("--out")
    {
        Description = "Directory for the shards: DOMAIN.train and DOMAIN.validation, each .bin, .idx and .marks.",
    };

    private static readonly Option<string> Model = new("--tokenizer")
    {
        Description = "A SentencePiece model, or a tokenizer.json of byte-level BPE.",
        Required = true,
    };

    private static readonly Option<int> Context = new("--context")
    {
        Description = "Tokens of a pack: the context that the model is trained with.",
        Required = true,
    };

    internal static Option<string> Template { get; } =
        new("--template")
        {
            Description = $"How chats are written: {string.Join(", ", ChatTemplate.BuiltIn)}, or a YAML file.",
            DefaultValueFactory = _ => "internlm2",
        };

    internal static Option<string> Domain { get; } =
        new("--domain") { Description = "Domain of records that name none.", DefaultValueFactory = _ => "chat" };

    private static readonly Option<double> Validation = new("--validation")
    {
        Description = "Share of records set aside for validation, chosen by their tokens.",
        DefaultValueFactory = _ => 0,
    };

    private static readonly Option<int> MaxLength = new("--max-length")
    {
        Description = "Tokens of one chat at most, the rest is cut; 0: of samples the context, of comparisons half of it.",
        DefaultValueFactory = _ => 0,
    };

    internal static Option<string?> Conditions { get; } =
        new("--conditions")
        {
            Description = "YAML file of domains and the system prompt that a reward model sees for each.",
            HelpName = "FILE",
        };

    internal static Option<string?> RewardToken { get; } =
        new("--reward-token") { Description = "Piece at which a reward model reads the score; by default the template's." };

    private static readonly Option<bool> Show = new("--show")
    {
        Description =
            $"Print the tokens of the first {ShownSamples} samples, what is learned in colour or between ⟦ and ⟧; without --out nothing is written.",
    };

    public static Command Create()
    {
        var command = new Command("chat", "Turn chats or comparisons of answers into packs of tokens with their loss mask.")
        {
            Files,
            Format,
            Output,
            Model,
            Context,
            Template,
            Domain,
            Validation,
            MaxLength,
            Conditions,
            RewardToken,
            Show,
        };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        var console = parsed.InvocationConfiguration.Output;
        var options = OptionsOf(parsed, parsed.GetValue(Format)!, parsed.GetValue(Context)) with
        {
            Validation = parsed.GetValue(Validation),
            MaxLength = parsed.GetValue(MaxLength),
        };
        options.Check();
        string? directory = parsed.GetValue(Output);
        if (directory is null && !parsed.GetValue(Show))
            throw new UserErrorException(
                "--out is missing: give the directory for the shards, for example --out data/chat, or --show to look at the tokens alone."
            );
        using var tokenizer = Tokenizer.Load(parsed.GetValue(Model)!);
        using var raw = new RawStores(parsed.GetValue(Files)!);
        var samples = new ChatReader(options, new ChatTokenizer(options.Template, tokenizer)).Read(raw.Paths, raw.Stores);
        try
        {
            Run(samples, directory, options, tokenizer, parsed.GetValue(Show), console);
        }
        catch (RawStoreException problem)
        {
            throw new UserErrorException($"{problem.Message.TrimEnd('.')}. No shards were written: give the command again.", problem);
        }
        return 0;
    }

    private static void Run(
        IEnumerable<TokenizedSample> samples,
        string? directory,
        ChatOptions options,
        Tokenizer tokenizer,
        bool shows,
        TextWriter console
    )
    {
        if (directory is null)
        {
            foreach (var sample in samples.Where(sample => sample.Reason is null).Take(ShownSamples))
                Print(console, sample, tokenizer);
            return;
        }
        using var store = new ChatStore(directory, options, tokenizer);
        int shown = shows ? 0 : ShownSamples;
        foreach (var sample in samples)
        {
            store.Add(sample);
            if (sample.Reason is not null || shown >= ShownSamples)
                continue;
            Print(console, sample, tokenizer);
            shown++;
        }
        store.Complete();
        Tell(console, store, options);
    }

    /// <summary>What the options that commands share say.</summary>
    internal static ChatOptions OptionsOf(ParseResult parsed, string format, int context)
    {
        var template = ChatTemplate.Of(parsed.GetValue(Template)!);
        return new ChatOptions
        {
            Format = format,
            Template = parsed.GetValue(RewardToken) is { Length: > 0 } token ? template with { RewardToken = token } : template,
            Context = context,
            Domain = parsed.GetValue(Domain)!,
            Conditions = parsed.GetValue(Conditions) is { } path ? ReadConditions(path) : new Dictionary<string, string>(),
        };
    }

    private static IReadOnlyDictionary<string, string> ReadConditions(string path)
    {
        var conditions = ConfigurationLoader.Read<ConditionFile>(path, "the conditions").Conditions;
        return conditions.Count > 0
            ? conditions
            : throw new UserErrorException(
                $"{path} has no conditions: write a line for each domain under conditions:, or leave --conditions out."
            );
    }

    private static void Tell(TextWriter console, ChatStore store, ChatOptions options)
    {
        string what = options.Compares ? "comparisons" : "samples";
        console.WriteLine($"{"domain",-16}{what,12}{"validation",12}{"tokens",12}{"learned",12}{"packs",9}{"filled",9}{"cut",8}");
        foreach (var (domain, report) in store.Reports)
        {
            console.WriteLine(
                $"{domain,-16}{report.Samples,12}{report.ValidationSamples,12}{report.Tokens,12}{report.LearnedTokens,12}{report.Packs,9}{report.Fill,9:0.0%}{report.Truncated,8}"
            );
            foreach (var (reason, count) in report.LeftOut)
                console.WriteLine($"  left out: {count} with {reason}");
        }
    }

    private static void Print(TextWriter console, TokenizedSample sample, Tokenizer tokenizer)
    {
        foreach (var chat in sample.Chats)
        {
            console.WriteLine(
                $"# {sample.Domain}, {chat.Tokens.Length} tokens, {chat.Marks.Count(mark => mark.HasFlag(TokenMarks.Learned))} learned"
            );
            console.WriteLine(MarkedText.Of(chat.Tokens, chat.Marks, tokenizer, console));
        }
    }

    /// <summary>The file of <c>--conditions</c>.</summary>
    public sealed record ConditionFile
    {
        /// <summary>System prompt of each domain.</summary>
        public IReadOnlyDictionary<string, string> Conditions { get; init; } = new Dictionary<string, string>();
    }
}

using System.Runtime.ExceptionServices;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Corpus.Chat.Formats;
using Uniscale.Corpus.Reading.Json;
using Uniscale.Data;

namespace Uniscale.Corpus.Chat;

/// <summary>A record as tokens, or why it is left out.</summary>
/// <param name="Domain">Its domain.</param>
/// <param name="Chats">One chat, or the answers that are compared, from the best to the worst; empty where it is left out.</param>
/// <param name="Reason">Why it is left out.</param>
/// <param name="Truncated">Chats that were cut.</param>
public sealed record TokenizedSample(string Domain, IReadOnlyList<TokenizedChat> Chats, string? Reason = null, int Truncated = 0)
{
    /// <summary>The messages; null: the record could not be read.</summary>
    public ChatSample? Source { get; init; }
}

/// <summary>Reads records, checks them and turns them into tokens, in the order of the files.</summary>
/// <param name="options">What the user asked for.</param>
/// <param name="tokenizer">Writes the chats.</param>
public sealed class ChatReader(ChatOptions options, ChatTokenizer tokenizer)
{
    private readonly Func<JsonElement, ChatSample> _read = ChatFormats.Of(options.Format);

    /// <summary>The samples of files, of folders, and of what other places have.</summary>
    /// <exception cref="UserErrorException">A file does not exist, or is damaged.</exception>
    /// <exception cref="RawStoreException">Another place does not answer.</exception>
    public IEnumerable<TokenizedSample> Read(IEnumerable<string> paths, IReadOnlyList<IRawStore>? stores = null)
    {
        using var samples = RawFiles
            .Find(paths, stores ?? [], _ => { })
            .SelectMany(Records)
            .AsParallel()
            .AsOrdered()
            .Select(Tokenize)
            .GetEnumerator();
        while (Advances(samples))
            yield return samples.Current;
    }

    /// <summary>What a thread throws comes as it is, not among others.</summary>
    private static bool Advances(IEnumerator<TokenizedSample> samples)
    {
        try
        {
            return samples.MoveNext();
        }
        catch (AggregateException failures)
        {
            ExceptionDispatchInfo.Throw(failures.GetBaseException());
            throw;
        }
    }

    private static IEnumerable<byte[]> Records(RawFile file)
    {
        string path = file.Path;
        using var input = Guarded(path, () => LocalFile.Stream(file));
        // A file of lines has a whole object in its first; an array, or an object over several lines, has not.
        using var records = (
            BeginsWithLine(input.Head) ? JsonLinesReader.Objects(input) : JsonObjectsReader.Objects(input)
        ).GetEnumerator();
        while (Guarded(path, records.MoveNext))
            yield return records.Current.Json;
    }

    private static T Guarded<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InvalidDataException damage)
        {
            throw new UserErrorException($"{path} is damaged: {damage.Message.TrimEnd('.')}; get it again, or leave it out.", damage);
        }
    }

    private static bool BeginsWithLine(ReadOnlySpan<byte> head)
    {
        head = head.TrimStart("\uFEFF"u8).TrimStart(" \t\r\n"u8);
        if (head.StartsWith("["u8))
            return false;
        int end = head.IndexOf((byte)'\n');
        if (end < 0)
            return true;
        var reader = new Utf8JsonReader(head[..end]);
        try
        {
            return reader.Read() && reader.TrySkip() && reader.TokenType == JsonTokenType.EndObject;
        }
        catch (JsonException)
        {
            // A damaged first record of lines is a record left out; of one object over several lines the first line is a bracket alone, or
            // nearly.
            return head[..end].TrimEnd(" \t\r"u8).Length > 2;
        }
    }

    private TokenizedSample Tokenize(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new ChatRecordException("lines that are no JSON object");
            var sample = _read(document.RootElement);
            return Tokenize(sample) with { Source = sample };
        }
        catch (JsonException)
        {
            return new TokenizedSample(options.Domain, [], "lines that are no JSON object");
        }
        catch (InvalidOperationException) // half a surrogate pair, which is an escape of JSON and no character
        {
            return new TokenizedSample(options.Domain, [], "texts with half a character");
        }
        catch (ChatRecordException left)
        {
            return new TokenizedSample(options.Domain, [], left.Message);
        }
    }

    private TokenizedSample Tokenize(ChatSample sample)
    {
        string domain = sample.Domain ?? options.Domain;
        if (!DomainFolder.IsName(domain))
            throw new ChatRecordException("a domain that cannot name a file");
        var chats = new List<TokenizedChat>();
        int truncated = 0;
        foreach (var answer in sample.Answers)
        {
            var whole = tokenizer.Encode(Checked(Conditioned(answer, domain)));
            var chat = options.Compares
                ? WithScore(whole, isLast: chats.Count == sample.Answers.Count - 1)
                : Cut(whole, options.LongestChat);
            truncated += whole.Tokens.Length > chat.Tokens.Length - (options.Compares ? 1 : 0) ? 1 : 0;
            if (!chat.IsLearned)
                return new TokenizedSample(
                    domain,
                    [],
                    truncated > 0 ? "nothing to learn is left within the longest length" : "nothing to learn",
                    truncated
                );
            chats.Add(chat);
        }
        for (int i = 1; i < chats.Count; i++)
            if (chats[i].Tokens.AsSpan().SequenceEqual(chats[i - 1].Tokens))
                return new TokenizedSample(domain, [], "answers that are the same within the longest length", truncated);
        return chats.Sum(chat => chat.Tokens.Length) > options.Context
            ? new TokenizedSample(domain, [], "comparisons longer than a pack", truncated)
            : new TokenizedSample(domain, chats, null, truncated);
    }

    private IReadOnlyList<ChatMessage> Conditioned(IReadOnlyList<ChatMessage> chat, string domain) =>
        options.Conditions.TryGetValue(domain, out string? condition) ? [new ChatMessage(ChatMessage.System, condition), .. chat] : chat;

    private List<ChatMessage> Checked(IReadOnlyList<ChatMessage> chat)
    {
        var template = tokenizer.Template;
        var written = new List<ChatMessage>();
        foreach (var message in chat)
        {
            if (template.TurnOf(message.Role) is null)
                throw new ChatRecordException($"the role '{message.Role}', which the template does not know");
            if (message.ToolCall is not null && template.ToolCall.Length == 0)
                throw new ChatRecordException("a call of a tool, which the template does not know");
            bool tellsTools = message is { Role: ChatMessage.System, Name: ChatJson.ToolsName };
            if (tellsTools && template.ToolsName.Length == 0)
                throw new ChatRecordException("tools, which the template does not know");
            if (message.Role == ChatMessage.System && message.IsEmpty)
                continue;
            if (message.IsLearned && string.IsNullOrWhiteSpace(message.Content) && message.ToolCall is null)
                throw new ChatRecordException("an empty answer");
            written.Add(tellsTools ? message with { Name = template.ToolsName } : message);
        }
        return written.Count > 0 ? written : throw new ChatRecordException("no messages");
    }

    /// <summary>The beginning, as far as it may be long.</summary>
    private static TokenizedChat Cut(TokenizedChat chat, int longest) =>
        chat.Tokens.Length <= longest ? chat : new TokenizedChat(chat.Tokens[..longest], chat.Marks[..longest]);

    /// <summary>The reward token stands behind what is left of the chat, so it is never cut.</summary>
    private TokenizedChat WithScore(TokenizedChat whole, bool isLast)
    {
        var chat = Cut(whole, options.LongestChat - 1);
        return new TokenizedChat(
            [.. chat.Tokens, tokenizer.RewardToken],
            [.. chat.Marks, TokenMarks.Score | (isLast ? TokenMarks.Last : TokenMarks.None)]
        );
    }
}

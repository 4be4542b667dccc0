using System.Buffers;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Corpus.Chat;

/// <summary>Tokens of a chat, each with its mark.</summary>
/// <param name="Tokens">Token ids.</param>
/// <param name="Marks">What each is.</param>
public sealed record TokenizedChat(int[] Tokens, TokenMarks[] Marks)
{
    /// <summary>Whether anything is learned.</summary>
    public bool IsLearned => Marks.Any(mark => mark.HasFlag(TokenMarks.Learned));
}

/// <summary>
/// Writes chats as tokens. What the template writes may hold special tokens; what stands in a message may not: a text that spells one is
/// encoded as the ordinary
/// characters that it is made of, so that nobody can speak for another role.
/// </summary>
public sealed class ChatTokenizer
{
    private const string BeginMark = "{bos}",
        EndMark = "{eos}";

    private readonly Tokenizer _tokenizer;
    private readonly string[] _specials; // the longest first
    private readonly string[] _forbidden;

    /// <param name="template">How chats are written.</param>
    /// <param name="tokenizer">The vocabulary; not owned.</param>
    /// <exception cref="UserErrorException">The vocabulary lacks a token that the template needs.</exception>
    public ChatTokenizer(ChatTemplate template, Tokenizer tokenizer)
    {
        Template = template;
        _tokenizer = tokenizer;
        _specials = [.. template.SpecialTokens.Append(BeginMark).Append(EndMark).OrderByDescending(text => text.Length)];
        _forbidden =
        [
            .. template
                .SpecialTokens.Concat(tokenizer.Symbols)
                .Append(template.RewardToken)
                .Where(text => text.Length > 1 && text is not (BeginMark or EndMark))
                .Distinct(),
        ];
        // What every chat needs is asked for before the first.
        foreach (
            string text in template
                .Roles.SelectMany(turn => new[] { turn.Before, turn.End, turn.Separator })
                .Append(template.Begin)
                .Append(template.Generation)
        )
            EncodeTemplate(text, new ArrayBufferWriter<int>());
        StopTokens = [.. template.Stop.Select(IdOf)];
    }

    /// <summary>How chats are written.</summary>
    public ChatTemplate Template { get; }

    /// <summary>Tokens at which generation of an answer ends.</summary>
    public IReadOnlyList<int> StopTokens { get; }

    /// <summary>The token at which a reward model reads the score.</summary>
    /// <exception cref="UserErrorException">The vocabulary lacks it.</exception>
    public int RewardToken =>
        _rewardToken ??=
            Find(Template.RewardToken)
            ?? throw new UserErrorException(
                $"The template's reward token '{Template.RewardToken}' is not in the vocabulary {_tokenizer.Path}: give --reward-token a piece that is there, for example '{EndMark}', the end of text."
            );

    private int? _rewardToken;

    /// <summary>The tokens of a chat and which of them are learned.</summary>
    /// <param name="messages">The chat; the template knows every role.</param>
    public TokenizedChat Encode(IReadOnlyList<ChatMessage> messages)
    {
        var tokens = new ArrayBufferWriter<int>();
        var marks = new List<TokenMarks>();
        foreach (var part in Template.Parts(messages))
        {
            if (part.IsTemplate)
                EncodeTemplate(part.Text, tokens);
            else
                EncodePlain(part.Text, tokens);
            var mark = part.IsLearned ? TokenMarks.Learned : TokenMarks.None;
            while (marks.Count < tokens.WrittenCount)
                marks.Add(mark);
        }
        return new TokenizedChat(tokens.WrittenSpan.ToArray(), [.. marks]);
    }

    /// <summary>The tokens after which an answer to a chat is generated.</summary>
    public int[] EncodePrompt(IReadOnlyList<ChatMessage> messages)
    {
        var tokens = new ArrayBufferWriter<int>();
        tokens.Write(Encode(messages).Tokens);
        EncodeTemplate(Template.Generation, tokens);
        return tokens.WrittenSpan.ToArray();
    }

    /// <summary>
    /// What a reward model reads of an answer that was drawn: the tokens that a chat of the same messages has in <c>data chat --format
    /// preference</c>, the reward token last. Nobody else sees
    /// the condition.
    /// </summary>
    /// <param name="prompt">Tokens before the answer, as <see cref="Encode"/> gives them.</param>
    /// <param name="answer">Tokens of the answer, with what ends it.</param>
    /// <param name="isEnded">Whether anything ends it.</param>
    /// <param name="condition">System prompt that stands before all; null: none.</param>
    public int[] EncodeScored(ReadOnlySpan<int> prompt, ReadOnlySpan<int> answer, bool isEnded, string? condition)
    {
        var tokens = new ArrayBufferWriter<int>();
        if (condition is not null)
        {
            int[] begin = Encode([]).Tokens;
            tokens.Write(Encode([new ChatMessage(ChatMessage.System, condition)]).Tokens);
            if (prompt.StartsWith(begin))
                prompt = prompt[begin.Length..];
        }
        tokens.Write(prompt);
        tokens.Write(answer);
        if (isEnded)
            EncodeTemplate(Template.TurnOf(ChatMessage.Assistant)?.Separator ?? "", tokens);
        tokens.Write([RewardToken]);
        return tokens.WrittenSpan.ToArray();
    }

    /// <summary>Text of the template: special tokens are tokens, what lies between is ordinary text.</summary>
    private void EncodeTemplate(string text, ArrayBufferWriter<int> tokens)
    {
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (_specials.FirstOrDefault(special => text.AsSpan(i).StartsWith(special, StringComparison.Ordinal)) is not { } found)
                continue;
            EncodePlain(text[start..i], tokens);
            tokens.Write([IdOf(found)]);
            start = i + found.Length;
            i = start - 1;
        }
        EncodePlain(text[start..], tokens);
    }

    /// <summary>
    /// Ordinary text: a spelled special token is cut behind its first character, and the pieces are encoded alone, so that it is never
    /// found. No space is put before
    /// a text within a chat.
    /// </summary>
    private void EncodePlain(string text, ArrayBufferWriter<int> tokens)
    {
        int start = 0;
        while (start < text.Length)
        {
            int cut = text.Length;
            foreach (string symbol in _forbidden)
                if (text.IndexOf(symbol, start, StringComparison.Ordinal) is >= 0 and var at && at + 1 < cut)
                    cut = at + (char.IsHighSurrogate(text[at]) ? 2 : 1);
            _tokenizer.Encode(Encoding.UTF8.GetBytes(text[start..cut]), continues: true, tokens);
            start = cut;
        }
    }

    private int IdOf(string piece) =>
        Find(piece)
        ?? throw new UserErrorException(
            piece is BeginMark or EndMark
                ? $"The template writes {piece}, but the vocabulary {_tokenizer.Path} has no such token: take it out in a template of your own."
                : $"The template writes the token '{piece}', which is not in the vocabulary {_tokenizer.Path}: train one with `uniscale tokenizer train --symbol '{piece}'`, or choose a template without it, such as plain."
        );

    private int? Find(string piece)
    {
        int id = piece switch
        {
            BeginMark => _tokenizer.BeginId,
            EndMark => _tokenizer.EndId,
            _ => _tokenizer.IdOf(piece),
        };
        return id < 0 || (id == _tokenizer.UnknownId && piece is not (BeginMark or EndMark)) ? null : id;
    }
}

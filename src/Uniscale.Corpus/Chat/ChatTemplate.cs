using System.Text;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;

namespace Uniscale.Corpus.Chat;

/// <summary>How the messages of one role are written: before, content, end, separator.</summary>
public sealed record ChatTurn
{
    /// <summary>The role; * stands for every role that has no turn of its own, and <c>{role}</c> for its name.</summary>
    public string Role { get; init; } = "";

    /// <summary>
    /// What stands before the content; <c>{name}</c> stands for the name behind the role, written as <see cref="ChatTemplate.Name"/> says.
    /// </summary>
    public string Before { get; init; } = "";

    /// <summary>What stands before the content where a system message stands before the turn; not set: as otherwise.</summary>
    public string? BeforeBehindSystem { get; init; }

    /// <summary>What ends the message; learned with the content of an answer.</summary>
    public string End { get; init; } = "";

    /// <summary>What stands between this message and the next; never learned.</summary>
    public string Separator { get; init; } = "";
}

/// <summary>
/// How a chat becomes text or tokens: a YAML file. <c>{bos}</c> and <c>{eos}</c> stand for the tokenizer's begin and end of text.
/// </summary>
public sealed record ChatTemplate
{
    /// <summary>What stands before the first message.</summary>
    public string Begin { get; init; } = "";

    /// <summary>The roles that the template knows.</summary>
    public IReadOnlyList<ChatTurn> Roles { get; init; } = [];

    /// <summary>How a name behind a role is written; <c>{name}</c> stands for it.</summary>
    public string Name { get; init; } = "";

    /// <summary>What stands behind the last message where an answer is to be generated.</summary>
    public string Generation { get; init; } = "";

    /// <summary>
    /// How a call of a tool is written behind the content of an answer; <c>{call}</c> stands for its JSON. Empty: the template has no
    /// tools.
    /// </summary>
    public string ToolCall { get; init; } = "";

    /// <summary>Name behind the role of the system message that describes the tools.</summary>
    public string ToolsName { get; init; } = "";

    /// <summary>
    /// Pieces of the vocabulary that the template writes as one token each. In the text of messages they are ordinary text.
    /// </summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = [];

    /// <summary>Pieces at which generation of an answer ends.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Piece at which a reward model reads the score, behind the whole chat.</summary>
    public string RewardToken { get; init; } = "{eos}";

    /// <summary>Templates that come with the program.</summary>
    public static IReadOnlyList<string> BuiltIn { get; } =
    [
        .. typeof(ChatTemplate)
            .Assembly.GetManifestResourceNames()
            .Where(IsTemplate)
            .Select(name => name[Prefix.Length..^Suffix.Length])
            .Order(StringComparer.Ordinal),
    ];

    private const string Prefix = "Uniscale.Corpus.Chat.Templates.",
        Suffix = ".yaml";

    /// <summary>A template by its name, or of a file.</summary>
    /// <exception cref="UserErrorException">There is no such template, or the file is none.</exception>
    public static ChatTemplate Of(string name)
    {
        if (BuiltIn.Contains(name))
        {
            using var text = new StreamReader(typeof(ChatTemplate).Assembly.GetManifestResourceStream(Prefix + name + Suffix)!);
            return ConfigurationLoader.ReadText<ChatTemplate>(text.ReadToEnd(), $"template {name}", "the template");
        }
        if (!File.Exists(name))
            throw new UserErrorException($"--template {name} is unknown, and no such file is there{Names.Hint(name, BuiltIn)}");
        var template = ConfigurationLoader.Read<ChatTemplate>(name, "the template");
        if (template.Roles.FirstOrDefault(turn => turn.Role.Length == 0) is not null || template.Roles.Count == 0)
            throw new UserErrorException($"{name}: a template needs roles, each with its name: see docs/reference/chat.md for an example.");
        return template;
    }

    /// <summary>The turn of a role; null: the template does not know it.</summary>
    public ChatTurn? TurnOf(string role) =>
        Roles.FirstOrDefault(turn => turn.Role == role) ?? Roles.FirstOrDefault(turn => turn.Role == "*");

    /// <summary>The parts of a chat in their order, for text and for tokens alike.</summary>
    /// <param name="messages">The chat; every role must have a turn.</param>
    public IEnumerable<ChatPart> Parts(IReadOnlyList<ChatMessage> messages)
    {
        yield return new ChatPart(Begin, IsTemplate: true, IsLearned: false);
        for (int i = 0; i < messages.Count; i++)
        {
            var message = messages[i];
            var turn = TurnOf(message.Role) ?? throw new ArgumentException($"The template has no role '{message.Role}'.", nameof(messages));
            bool isBehindSystem = i > 0 && messages[i - 1].Role == ChatMessage.System;
            string before = isBehindSystem && turn.BeforeBehindSystem is { } other ? other : turn.Before;
            string name = message.Name is { Length: > 0 } given ? Name.Replace("{name}", given, StringComparison.Ordinal) : "";
            yield return new ChatPart(
                before.Replace("{role}", message.Role, StringComparison.Ordinal).Replace("{name}", name, StringComparison.Ordinal),
                IsTemplate: true,
                IsLearned: false
            );
            yield return new ChatPart(message.Content, IsTemplate: false, message.IsLearned);
            if (message.ToolCall is { } call)
            {
                string[] around = ToolCall.Split("{call}", 2);
                yield return new ChatPart(around[0], IsTemplate: true, message.IsLearned);
                yield return new ChatPart(call, IsTemplate: false, message.IsLearned);
                yield return new ChatPart(around[^1], IsTemplate: true, message.IsLearned);
            }
            if (message.IsCut)
                continue;
            yield return new ChatPart(turn.End, IsTemplate: true, message.IsLearned);
            yield return new ChatPart(turn.Separator, IsTemplate: true, IsLearned: false);
        }
    }

    /// <summary>
    /// The text of a chat, its special tokens written out; null for one without messages, or with a role that the template does not know.
    /// </summary>
    public string? Render(IReadOnlyList<ChatMessage> messages)
    {
        if (messages.Count == 0 || messages.Any(message => TurnOf(message.Role) is null))
            return null;
        var text = new StringBuilder();
        foreach (var part in Parts(messages))
            text.Append(
                part.IsTemplate
                    ? part.Text.Replace("{bos}", "", StringComparison.Ordinal).Replace("{eos}", "", StringComparison.Ordinal)
                    : part.Text
            );
        return text.ToString();
    }

    private static bool IsTemplate(string resource) =>
        resource.StartsWith(Prefix, StringComparison.Ordinal) && resource.EndsWith(Suffix, StringComparison.Ordinal);
}

/// <summary>A part of a chat as it is written.</summary>
/// <param name="Text">The text.</param>
/// <param name="IsTemplate">It is the template's, whose special tokens are tokens; else a user's, where they are ordinary text.</param>
/// <param name="IsLearned">Its tokens are learned.</param>
public readonly record struct ChatPart(string Text, bool IsTemplate, bool IsLearned);

namespace Uniscale.Corpus.Chat;

/// <summary>A message of a chat.</summary>
/// <param name="Role">Who speaks: system, user, assistant, environment (what a tool gave out), or a role of a template of the user's
/// own.</param>
/// <param name="Content">What is said.</param>
public sealed record ChatMessage(string Role, string Content)
{
    /// <summary>Role of answers.</summary>
    public const string Assistant = "assistant";

    /// <summary>Role of instructions for the whole chat.</summary>
    public const string System = "system";

    /// <summary>Role of the one who asks.</summary>
    public const string User = "user";

    /// <summary>Role of what tools give out.</summary>
    public const string Environment = "environment";

    /// <summary>Name behind the role, e.g. of the tool that spoke; null: none.</summary>
    public string? Name { get; init; }

    /// <summary>The call of a tool that follows the content, as JSON; null: none.</summary>
    public string? ToolCall { get; init; }

    /// <summary>Whether the message is learned; only an assistant's is.</summary>
    public bool IsLearned { get; init; }

    /// <summary>Whether it breaks off: nothing of the template ends it.</summary>
    public bool IsCut { get; init; }

    /// <summary>Whether nothing is said.</summary>
    public bool IsEmpty => Content.Length == 0 && ToolCall is null;

    /// <summary>A role by the name that data sets give it.</summary>
    public static string RoleOf(string name) =>
        name switch
        {
            "human" => User,
            "gpt" or "function_call" => Assistant,
            "observation" or "tool" or "function" or "ipython" => Environment,
            "developer" => System,
            _ => name,
        };

    /// <summary>An answer that is learned.</summary>
    public static ChatMessage Answer(string content) => new(Assistant, content) { IsLearned = true };
}

/// <summary>A chat to learn from, or several answers to one prompt, from the best to the worst.</summary>
/// <param name="Answers">Whole chats, prompt and answer; one, or two and more that are compared.</param>
/// <param name="Domain">Domain that the record names; null: it names none.</param>
public sealed record ChatSample(IReadOnlyList<IReadOnlyList<ChatMessage>> Answers, string? Domain = null);

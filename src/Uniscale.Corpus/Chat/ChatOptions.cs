using Uniscale.Configuration;
using Uniscale.Corpus.Chat.Formats;

namespace Uniscale.Corpus.Chat;

/// <summary>How chats become packs.</summary>
public sealed record ChatOptions
{
    /// <summary>Form of the records: messages, alpaca, sharegpt, prompt, preference.</summary>
    public required string Format { get; init; }

    /// <summary>How chats are written.</summary>
    public required ChatTemplate Template { get; init; }

    /// <summary>Tokens of a pack: the context that the model is trained with.</summary>
    public required int Context { get; init; }

    /// <summary>Domain of records that name none.</summary>
    public string Domain { get; init; } = "chat";

    /// <summary>Share of records set aside for validation, chosen by their tokens.</summary>
    public double Validation { get; init; }

    /// <summary>Tokens of one chat at most; 0: of samples the context, of two answers half of it.</summary>
    public int MaxLength { get; init; }

    /// <summary>System prompt of each domain, which tells a reward model what is preferred there; a domain without one has none.</summary>
    public IReadOnlyDictionary<string, string> Conditions { get; init; } = new Dictionary<string, string>();

    /// <summary>What the user is told to do where no record gives a sample.</summary>
    public string Remedy { get; init; } = "check --format";

    /// <summary>Names of the forms.</summary>
    public static IReadOnlyList<string> Formats => ChatFormats.Names;

    /// <summary>Whether answers are compared.</summary>
    public bool Compares => ChatFormats.Compares(Format);

    /// <summary>Longest chat, resolved.</summary>
    public int LongestChat =>
        MaxLength > 0 ? MaxLength
        : Compares ? Context / 2
        : Context;

    /// <summary>Refuses what cannot be done.</summary>
    /// <exception cref="UserErrorException">What is wrong, and what to do.</exception>
    public void Check()
    {
        _ = ChatFormats.Of(Format);
        DomainFolder.CheckName(Domain);
        if (Context < 8)
            throw new UserErrorException(
                $"--context {Context} has no room for a chat: give the context that the model is trained with, for example 2048."
            );
        if (MaxLength < 0 || MaxLength > Context)
            throw new UserErrorException($"--max-length {MaxLength} does not fit a pack of {Context} tokens: give 1 to {Context}.");
        if (!(Validation is >= 0 and < 1))
            throw new UserErrorException($"--validation {Validation} is no share: give a number from 0, below 1.");
        if (Conditions.Count > 0 && !Compares)
            throw new UserErrorException(
                "--conditions tells a reward model what is preferred, and --format is not preference: take it out."
            );
    }
}

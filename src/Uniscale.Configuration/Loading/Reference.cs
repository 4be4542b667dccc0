using System.Text.RegularExpressions;

namespace Uniscale.Configuration.Loading;

/// <summary>What a value looked like before the environment was put in.</summary>
/// <param name="Text">The value as it was written, e.g. <c>${LR:-1e-3}</c>; of a secret without the default, which is the secret's
/// twin.</param>
/// <param name="IsSecret">The value must not be written anywhere: this text stands for it.</param>
public sealed partial record Reference(string Text, bool IsSecret)
{
    /// <summary>Tells two values of a secret apart; never written anywhere.</summary>
    public string Digest { get; init; } = "";

    /// <summary>Variables that the text names.</summary>
    public IReadOnlyList<string> Variables => [.. VariableName().Matches(Text).Select(match => match.Groups["name"].Value)];

    [GeneratedRegex(@"(?<!\$)\$\{(?<name>[^}:]+)")]
    private static partial Regex VariableName();

    /// <summary>The YAML tag that makes a value secret whatever its variable is called.</summary>
    internal const string SecretTag = "!secret";

    /// <summary>Stands for a secret that is not there, as where a stored configuration is read on another machine.</summary>
    public const string Absent = "***";

    /// <summary>
    /// Whether a variable holds a secret, by its name: KEY, TOKEN, PASSWORD, SECRET, CREDENTIAL and their like, alone or in a compound.
    /// </summary>
    public static bool NamesSecret(string variable) => SecretName().IsMatch(variable);

    // TOKENS and TOKENIZER are what training is about, and KEYBOARD is no key: short words count as whole words only.
    [GeneratedRegex(
        "password|passwd|passphrase|secret|credential|(?:^|[_.-]|api|access|auth|private|signing)(?:key|token|pwd|pass|auth|bearer)s?(?:$|[_.-])(?<!tokens_?)",
        RegexOptions.IgnoreCase
    )]
    private static partial Regex SecretName();
}

/// <summary>
/// Values of this process that must not be written: filled while configurations are read, asked wherever text goes to a file or a terminal.
/// </summary>
public static class Secrets
{
    /// <summary>Shorter values would be found in any text.</summary>
    private const int ShortestCharacters = 4;

    private static volatile string[] _values = [];

    /// <summary>The text with every secret replaced.</summary>
    public static string Mask(string text)
    {
        foreach (string value in _values)
            text = text.Replace(value, Reference.Absent, StringComparison.Ordinal);
        return text;
    }

    internal static void Add(string value)
    {
        if (value.Length < ShortestCharacters || _values.Contains(value))
            return;
        lock (SecretsLock)
            _values = [.. _values.Append(value).Distinct().OrderByDescending(known => known.Length)];
    }

    private static readonly Lock SecretsLock = new();
}

namespace Uniscale.Configuration.Loading;

/// <summary>
/// Keeps <c>${VAR:-default}</c> whole through a YAML scanner, for which braces, commas and colons mean something in a flow map such as
/// <c>{ lr: ${LR:-1} }</c>: within a reference they become characters of the private use area, one for one, and come back in the scalars.
/// </summary>
internal static class References
{
    private const char First = '\uE000';
    private const string Significant = "{}[],:#&*!|>%@`?-";

    /// <summary>The text with the references that close on their line made inert; as long as it was.</summary>
    public static string Hide(string text)
    {
        if (!text.Contains("${", StringComparison.Ordinal))
            return text;
        return string.Create(
            text.Length,
            text,
            static (hidden, text) =>
            {
                text.CopyTo(hidden);
                for (
                    int start = text.IndexOf("${", StringComparison.Ordinal);
                    start >= 0;
                    start = text.IndexOf("${", start, StringComparison.Ordinal)
                )
                {
                    // Quotes and backslashes stay what they are to a quoted scalar; a reference with one in it is left alone.
                    int end = text.AsSpan(start).IndexOfAny("}\n\"'\\");
                    if (end < 0)
                        return;
                    if (text[start + end] == '}')
                        foreach (ref char letter in hidden.Slice(start + 1, end))
                            if (Significant.Contains(letter, StringComparison.Ordinal))
                                letter += First;
                    // Whatever begins before that character ends with it, too.
                    start += end;
                }
            }
        );
    }

    /// <summary>A scalar as it stood before <see cref="Hide"/>.</summary>
    public static string Show(string scalar) =>
        scalar.Contains("$" + (char)(First + '{'), StringComparison.Ordinal)
            ? string.Create(
                scalar.Length,
                scalar,
                static (shown, scalar) =>
                {
                    for (int i = 0; i < scalar.Length; i++)
                        shown[i] =
                            scalar[i] >= First
                            && scalar[i] < First + 128
                            && Significant.Contains((char)(scalar[i] - First), StringComparison.Ordinal)
                                ? (char)(scalar[i] - First)
                                : scalar[i];
                }
            )
            : scalar;
}

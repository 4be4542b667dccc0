using System.Security.Cryptography;
using System.Text;

namespace Uniscale.Configuration.Loading;

/// <summary>
/// Substitution of <c>${VAR}</c> and <c>${VAR:-default}</c>; <c>$${</c> stands for a literal <c>${</c>. What was written stays beside the
/// value.
/// </summary>
/// <param name="lookup">The environment.</param>
/// <param name="isStored">The text is a configuration that was stored with a run: a secret that is not set here is no error.</param>
internal sealed class EnvironmentVariables(Func<string, string?> lookup, bool isStored = false)
{
    public static ConfigNode Substitute(ConfigNode node, Func<string, string?> lookup, bool isStored = false) =>
        new EnvironmentVariables(lookup, isStored).Substitute(node);

    private ConfigNode Substitute(ConfigNode node) =>
        node switch
        {
            ScalarNode scalar when scalar.Text.Contains("${", StringComparison.Ordinal) => Expand(scalar),
            ScalarNode { IsMarkedSecret: true } scalar => throw new UserErrorException(
                $"{scalar.Origin.Exact}: {Reference.SecretTag} marks a value that comes from the environment; write {Reference.SecretTag} ${{NAME}}, not the value itself."
            ),
            ListNode list => list with { Items = [.. list.Items.Select(Substitute)] },
            MapNode map => map with { Entries = [.. map.Entries.Select(entry => entry with { Value = Substitute(entry.Value) })] },
            _ => node,
        };

    private ScalarNode Expand(ScalarNode scalar)
    {
        string text = scalar.Text;
        var (result, written, isSecret) = (new StringBuilder(text.Length), new StringBuilder(text.Length), scalar.IsMarkedSecret);
        var values = new List<string>();
        for (int position = 0; position < text.Length;)
        {
            if (text.AsSpan(position).StartsWith("$${"))
            {
                result.Append("${");
                written.Append("$${");
                position += 3;
            }
            else if (text.AsSpan(position).StartsWith("${"))
            {
                int close = text.IndexOf('}', position);
                if (close < 0)
                    throw new UserErrorException(
                        $"{scalar.Origin.Exact}: '{ScalarNode.Excerpt(text)}' has a ${{ without its }}; close it, or write $${{ for the characters themselves."
                    );
                string[] parts = text[(position + 2)..close].Split(":-", 2);
                bool hides = scalar.IsMarkedSecret || Reference.NamesSecret(parts[0]);
                isSecret |= hides;
                string value = Value(parts, scalar, hides);
                if (hides && value != Reference.Absent)
                    Secrets.Add(value);
                values.Add(value);
                result.Append(value);
                written.Append(hides ? $"${{{parts[0]}}}" : text[position..(close + 1)]);
                position = close + 1;
            }
            else
            {
                result.Append(text[position]);
                written.Append(text[position++]);
            }
        }
        return scalar with
        {
            Text = result.ToString(),
            Plain = true,
            IsAbsent = isStored && values.Contains(Reference.Absent),
            Reference =
                values.Count == 0
                    ? null
                    : new Reference(written.ToString(), isSecret)
                    {
                        Digest = isSecret ? Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(result.ToString())))[..8] : "",
                    },
        };
    }

    private string Value(string[] parts, ScalarNode scalar, bool isSecret)
    {
        string? value = lookup(parts[0]);
        if (!string.IsNullOrEmpty(value))
            return value;
        if (parts.Length == 2)
            return parts[1];
        return isStored && isSecret
            ? Reference.Absent
            : throw new UserErrorException(
                $"{scalar.Origin.Exact}: the environment variable {parts[0]} is not set; set it, or give a default: ${{{parts[0]}:-value}}."
            );
    }
}

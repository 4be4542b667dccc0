namespace TorchSharp.Tests.Surface;

/// <summary>The public members of the real package, read from the list and its supplement: type name → member lines.</summary>
internal sealed class ReferenceSurface
{
    private readonly Dictionary<string, HashSet<string>> _members = [];

    internal ReferenceSurface()
    {
        Read("torchsharp-0.107-api.txt");
        Read("torchsharp-0.107-api-supplement.txt");
    }

    internal bool Has(string type) => _members.ContainsKey(type);

    internal bool Has(string type, string member) => _members.TryGetValue(type, out var members) && members.Contains(member);

    /// <summary>The members of the same name, for messages.</summary>
    internal IEnumerable<string> Alike(string type, string member)
    {
        var name = NameOf(member);
        return _members.GetValueOrDefault(type, []).Where(other => NameOf(other) == name);
    }

    private static string NameOf(string member) => member.Split('(', '[', '{')[0].TrimEnd().Split(' ')[^1];

    private void Read(string resource)
    {
        using var reader = new StreamReader(typeof(ReferenceSurface).Assembly.GetManifestResourceStream(resource)!);
        HashSet<string> current = [];
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
            {
                var type = line[3..].Split("  ")[0].Trim();
                if (!_members.TryGetValue(type, out var known))
                    _members[type] = known = [];
                current = known;
            }
            else if (line.Length > 0 && line[0] != '#')
            {
                current.Add(line.Trim());
            }
        }
    }
}

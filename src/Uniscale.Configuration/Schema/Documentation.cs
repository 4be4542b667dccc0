using System.Collections.Concurrent;
using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Uniscale.Configuration.Schema;

/// <summary>Docstrings of the records, out of the documentation file that the compiler writes beside the assembly.</summary>
public static partial class Documentation
{
    private static readonly ConcurrentDictionary<Assembly, IReadOnlyDictionary<string, XElement>> Files = new();

    /// <summary>Summary of a property, enum member or type as plain text on one line; empty where it has none.</summary>
    public static string Of(MemberInfo member)
    {
        var type = member as Type ?? member.DeclaringType!;
        string kind = member switch
        {
            Type => "T",
            FieldInfo => "F",
            _ => "P",
        };
        string id = member is Type ? $"T:{type.FullName}" : $"{kind}:{type.FullName}.{member.Name}";
        return Files.GetOrAdd(type.Assembly, Read).TryGetValue(id, out var summary) ? Plain(summary) : "";
    }

    private static IReadOnlyDictionary<string, XElement> Read(Assembly assembly)
    {
        string path = Path.Combine(AppContext.BaseDirectory, assembly.GetName().Name + ".xml");
        if (!File.Exists(path))
            throw new FileNotFoundException($"The documentation file {path} is missing; build with GenerateDocumentationFile.", path);
        return XDocument
            .Load(path)
            .Descendants("member")
            .Where(member => member.Element("summary") is not null)
            .ToDictionary(member => member.Attribute("name")!.Value, member => member.Element("summary")!, StringComparer.Ordinal);
    }

    private static string Plain(XElement summary)
    {
        var words = summary
            .Nodes()
            .Select(node =>
                node switch
                {
                    XText text => text.Value,
                    XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
                    XElement { Name.LocalName: "see" } see => $"`{Names.Snake(see.Attribute("cref")!.Value.Split('.')[^1])}`",
                    XElement element => element.Value,
                    _ => "",
                }
            );
        return Spaces().Replace(string.Concat(words), " ").Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}

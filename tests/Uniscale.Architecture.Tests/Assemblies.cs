using System.Reflection;
using System.Xml.Linq;

namespace Uniscale.Architecture.Tests;

/// <summary>The projects of src as their files and as their compiled assemblies describe them.</summary>
internal static class Assemblies
{
    /// <summary>Short names of all projects of src, in order. Native has no project of its own.</summary>
    public static IReadOnlyList<string> Projects { get; } =
    [.. Folders.Below("src").Where(folder => File.Exists(ProjectFile(folder))).Select(ArchitecturePage.Short)];

    /// <summary>The compiled assembly of a project.</summary>
    public static Assembly Of(string project) => Assembly.Load(project == "Cli" ? "uniscale" : $"Uniscale.{project}");

    /// <summary>Projects that a project's file references.</summary>
    public static IReadOnlySet<string> Referenced(string project) =>
        XDocument
            .Load(ProjectFile($"Uniscale.{project}"))
            .Descendants("ProjectReference")
            .Select(reference => ArchitecturePage.Short(Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value)))
            .ToHashSet();

    /// <summary>Projects whose types the compiled assembly uses: the compiler writes down no others.</summary>
    public static IReadOnlySet<string> Used(string project) =>
        Of(project)
            .GetReferencedAssemblies()
            .Select(name => name.Name!)
            .Where(name => name.StartsWith("Uniscale.", StringComparison.Ordinal))
            .Select(ArchitecturePage.Short)
            .ToHashSet();

    /// <summary>The folders of a project: the namespaces right below its own, with those they use.</summary>
    public static IReadOnlyDictionary<string, IReadOnlySet<string>> FoldersOf(string project)
    {
        string prefix = $"Uniscale.{project}.";
        var types = Mono
            .Cecil.AssemblyDefinition.ReadAssembly(Of(project).Location)
            .MainModule.Types.Where(type => type.Namespace.StartsWith(prefix, StringComparison.Ordinal));
        return types
            .GroupBy(type => Folder(type.Namespace))
            .ToDictionary(
                group => group.Key,
                group =>
                    (IReadOnlySet<string>)
                        group
                            .SelectMany(UsedBy)
                            .Where(space => space.StartsWith(prefix, StringComparison.Ordinal))
                            .Select(Folder)
                            .Where(folder => folder != group.Key)
                            .ToHashSet()
            );

        string Folder(string space) => space[prefix.Length..].Split('.')[0];
    }

    private static string ProjectFile(string folder) => Repository.PathOf($"src/{folder}/{folder}.csproj");

    /// <summary>Namespaces that a type uses: what it derives from, the types of its members, and all that its code names.</summary>
    private static IEnumerable<string> UsedBy(Mono.Cecil.TypeDefinition type)
    {
        var used = new List<Mono.Cecil.TypeReference?> { type.BaseType };
        used.AddRange(type.Interfaces.Select(one => one.InterfaceType));
        used.AddRange(type.Fields.Select(field => field.FieldType));
        used.AddRange(type.Properties.Select(property => property.PropertyType));
        foreach (var method in type.Methods)
        {
            used.Add(method.ReturnType);
            used.AddRange(method.Parameters.Select(parameter => parameter.ParameterType));
            if (!method.HasBody)
                continue;
            used.AddRange(method.Body.Variables.Select(variable => variable.VariableType));
            foreach (var instruction in method.Body.Instructions)
                if (instruction.Operand is Mono.Cecil.TypeReference named)
                    used.Add(named);
                else if (instruction.Operand is Mono.Cecil.MemberReference member)
                {
                    used.Add(member.DeclaringType);
                    if (member is Mono.Cecil.MethodReference called)
                        used.AddRange(called.Parameters.Select(parameter => parameter.ParameterType).Append(called.ReturnType));
                }
        }
        return used.SelectMany(Namespaces).Concat(type.NestedTypes.SelectMany(UsedBy));
    }

    private static IEnumerable<string> Namespaces(Mono.Cecil.TypeReference? type)
    {
        if (type is null)
            yield break;
        if (type is Mono.Cecil.GenericInstanceType generic)
            foreach (string space in generic.GenericArguments.SelectMany(Namespaces))
                yield return space;
        var outer = type.GetElementType();
        while (outer.DeclaringType is not null)
            outer = outer.DeclaringType;
        yield return outer.Namespace;
    }
}

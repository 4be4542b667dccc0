using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Uniscale.Configuration;
using Uniscale.Dashboard.Curves;
using Uniscale.Dashboard.Pages;
using Uniscale.Dashboard.Reading;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard;

/// <summary>The web page over a folder of runs.</summary>
public sealed class DashboardHost : IAsyncDisposable
{
    private const int MostRequestBytes = 64 << 10;

    private readonly WebApplication _application;

    private DashboardHost(WebApplication application) => _application = application;

    /// <summary>Where it can be opened.</summary>
    public string Address => _application.Urls.First();

    /// <summary>Starts serving.</summary>
    /// <param name="options">What is served, and to whom.</param>
    /// <exception cref="UserErrorException">There is no such folder, the port is taken, or an address beyond this machine is asked for
    /// without a token.</exception>
    public static async Task<DashboardHost> StartAsync(DashboardOptions options)
    {
        if (options.Token is null && !System.Net.IPAddress.IsLoopback(options.Address))
            throw new UserErrorException(
                $"The dashboard would answer to everybody on {options.Address}: give it a token with --token FILE, or leave --address out and reach it through ssh -L {options.Port}:localhost:{options.Port}."
            );
        if (options.Token is { Length: < 16 })
            throw new UserErrorException("The dashboard's token is shorter than 16 characters: make one with `openssl rand -hex 16`.");
        RunsFolder door;
        try
        {
            door = new RunsFolder(options.Folder);
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error))
        {
            throw new UserErrorException(
                $"There is no folder {options.Folder}: name the one that holds your runs, for example runs.",
                error
            );
        }
        var catalog = new RunCatalog(door);
        var application = Build(options, catalog);
        // The first viewer finds the list ready.
        _ = Task.Run(catalog.Summaries);
        try
        {
            await application.StartAsync();
        }
        catch (IOException error)
        {
            await application.DisposeAsync();
            throw new UserErrorException(
                $"Port {options.Port} of {options.Address} cannot be listened on ({error.InnerException?.Message ?? error.Message}): give another with --port, or 0 for any that is free.",
                error
            );
        }
        return new DashboardHost(application);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _application.DisposeAsync();

    private static WebApplication Build(DashboardOptions options, RunCatalog catalog)
    {
        // Where the program lies and no further: a settings file of the folder that it is started from, or a variable, could open it to the
        // world.
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions
            {
                ContentRootPath = AppContext.BaseDirectory,
                ApplicationName = "uniscale",
                EnvironmentName = "Production",
            }
        );
        ((IConfigurationBuilder)builder.Configuration).Sources.Clear();
        builder.Configuration.AddInMemoryCollection();
        builder
            .WebHost.UseKestrelCore()
            .ConfigureKestrel(kestrel =>
            {
                kestrel.Listen(options.Address, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
                kestrel.AddServerHeader = false;
                kestrel.Limits.MaxRequestBodySize = MostRequestBytes;
            });
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(catalog);
        builder.Services.AddDataProtection().UseEphemeralDataProtectionProvider();
        builder.Services.AddAntiforgery();
        builder.Services.AddRazorComponents();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        var application = builder.Build();
        var gate = new AccessGate(options);
        application.Use((context, next) => gate.Pass(context, next));
        application.Use(Answer);
        application.UseRouting();
        application.UseAntiforgery();
        EmbeddedAssets.Map(application);
        LiveEndpoint.Map(application);
        MapRequests(application, options);
        application.MapRazorComponents<App>();
        return application;
    }

    /// <summary>A page that fails says so in a sentence, and the others live.</summary>
    private static async Task Answer(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            if (context.Response is { HasStarted: false, StatusCode: StatusCodes.Status404NotFound, ContentLength: null })
                await context.Response.WriteAsync("There is nothing here.\n");
        }
        catch (Exception error) when (!context.Response.HasStarted && error is not OperationCanceledException)
        {
            context.Response.Clear();
            context.Response.StatusCode = error is Microsoft.AspNetCore.Http.BadHttpRequestException or AntiforgeryValidationException
                ? StatusCodes.Status400BadRequest
                : StatusCodes.Status500InternalServerError;
            context.Response.ContentType = "text/plain; charset=utf-8";
            await context.Response.WriteAsync($"The page failed ({error.GetType().Name}); the others go on.\n");
        }
    }

    /// <summary>Asks a run to save or to stop, as <c>touch RUN/save</c> does.</summary>
    private static void MapRequests(WebApplication application, DashboardOptions options) =>
        application.MapPost(
            "/run/{id}/request",
            async (string id, HttpContext context, RunCatalog catalog, IAntiforgery antiforgery) =>
            {
                if (!options.AllowsRequests)
                    return Results.Text(
                        "The dashboard asks runs for nothing; start it with --allow-requests.\n",
                        statusCode: StatusCodes.Status403Forbidden
                    );
                if (!await antiforgery.IsRequestValidAsync(context))
                    return Results.Text(
                        "The form was not this dashboard's; load the page again.\n",
                        statusCode: StatusCodes.Status400BadRequest
                    );
                string what = (await context.Request.ReadFormAsync())["what"].ToString();
                if (catalog.Find(id) is not { IsSweep: false } run || what is not ("save" or "stop"))
                    return Results.NotFound();
                return catalog.Door.Leave(run, what)
                    ? Results.Redirect($"/run/{id}")
                    : Results.Text("The run's folder cannot be written.\n", statusCode: StatusCodes.Status409Conflict);
            }
        );
}
